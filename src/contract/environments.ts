import type { Environment, EnvironmentWish } from "../core/environment/environment.ts";
import type { CheckPurpose, EnvironmentCheck } from "../core/environment/environment-check.ts";
import type { Waiting } from "./service.ts";
import type { DefinitionFacts, RemoveOptions, WriteOptions, Written } from "./definitions.ts";

export type { EnvironmentWish } from "../core/environment/environment.ts";
export type EnvironmentView = Environment & DefinitionFacts;

export interface EnvironmentReference {
  readonly projectId: string;
  readonly name: string;
}

export interface Environments {
  /**
   * Makes or changes an environment, as the condition says. Rejects with every problem at once, with
   * `definition-exists` where it must be new and another one is there, with `definition-changed` where the revision is
   * not this one.
   */
  putEnvironment(wish: EnvironmentWish, options: WriteOptions): Promise<Written<EnvironmentView>>;
  /** By project and name. */
  listEnvironments(query: {
    projectId?: string;
    limit: number;
    offset?: number;
  }): Promise<{ readonly environments: readonly EnvironmentView[]; readonly total: number }>;
  getEnvironment(reference: EnvironmentReference): Promise<EnvironmentView>;
  /**
   * Proves each right that a backup of it, or a restore into it, will need; `purposes` absent: a backup of production,
   * a restore into others. What misses is an answer with the statements or policies that give it.
   */
  checkEnvironment(
    reference: EnvironmentReference,
    options: { readonly purposes?: readonly CheckPurpose[] },
    waiting: Waiting,
  ): Promise<EnvironmentCheck>;
  /** Its backups stay. */
  deleteEnvironment(reference: EnvironmentReference, options: RemoveOptions): Promise<EnvironmentView>;
}
