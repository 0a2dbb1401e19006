/**
 * What people say once and the product acts on for as long as it stands: a project, an environment, a schedule.
 * Methods are atomic, and reject as the catalog's do.
 */
export interface DefinitionRecords {
  /**
   * Writes the definition, if what is there is as `condition` says; its revision is then one higher than any that
   * ever stood under this key. Undefined: it is not, and nothing was changed.
   */
  putDefinition(definition: NewDefinition, condition: WriteCondition): Promise<DefinitionRecord | undefined>;
  /** Undefined: there is none, or it was removed. */
  getDefinition(key: DefinitionKey): Promise<DefinitionRecord | undefined>;
  /** By project and name; removed ones are left out. */
  listDefinitions(
    query: DefinitionQuery,
  ): Promise<{ readonly definitions: readonly DefinitionRecord[]; readonly total: number }>;
  /** False: there is none, or (with `revision`) it is another one by now. */
  removeDefinition(
    key: DefinitionKey,
    options: { readonly nowMs: number; readonly revision?: number },
  ): Promise<boolean>;

  /** Everything of a project, what was removed too: what a repository keeps. */
  listProjectDefinitions(projectId: string): Promise<readonly DefinitionRecord[]>;
  /** Projects with something that their repository does not have yet. */
  listUnsavedProjects(): Promise<readonly string[]>;
  /** Notes that the repository has these revisions. */
  markDefinitionsSaved(saved: readonly (DefinitionKey & { readonly revision: number })[]): Promise<void>;
  /** Of a project whose repository is another one now: it has none of them. */
  markDefinitionsUnsaved(projectId: string): Promise<void>;
  /**
   * Takes over what a repository has, if that was changed later than what is here, or at once and more often; else
   * false. Its revision is higher than any that ever stood under this key here.
   */
  adoptDefinition(definition: DefinitionRecord): Promise<boolean>;
}

export type DefinitionKind = "project" | "environment" | "schedule" | "notification" | "hook";

export interface DefinitionKey {
  readonly kind: DefinitionKind;
  /** Empty: of the installation as a whole. */
  readonly projectId: string;
  readonly name: string;
}

export type NewDefinition = DefinitionKey & {
  /** JSON, without a secret. */
  readonly spec: unknown;
  readonly nowMs: number;
  /** Made because it was named: nobody has said anything of it, see `changedAtMs`. */
  readonly byDefault?: boolean;
};

export type DefinitionRecord = DefinitionKey & {
  readonly spec: unknown;
  /** From 1, one more with each change. */
  readonly revision: number;
  readonly createdAtMs: number;
  /**
   * Later than the change before it, whatever the clocks of machines say. 0: made with defaults because it was named;
   * nobody has said anything of it.
   */
  readonly changedAtMs: number;
  readonly deletedAtMs?: number;
};

/** What must be there for a definition to be written: nothing, anything or nothing, or this revision. */
export type WriteCondition = "absent" | "any" | { readonly revision: number };

export interface DefinitionQuery {
  readonly kind: DefinitionKind;
  readonly projectId?: string;
  /** Absent: all. */
  readonly limit?: number;
  readonly offset?: number;
}
