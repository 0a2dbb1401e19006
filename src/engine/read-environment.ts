import { toEnvironment, type Environment, type EnvironmentWish } from "../core/environment/environment.ts";
import type { DefinitionKey, DefinitionRecord } from "../core/ports/definition-records.ts";
import { readDefinition } from "./definitions.ts";
import type { EngineParts } from "./parts.ts";

export const environmentKey = (projectId: string, name: string): DefinitionKey => ({
  kind: "environment",
  projectId,
  name,
});

/** Rejects with `environment-not-found`. */
export async function readEnvironment(
  parts: EngineParts,
  projectId: string,
  name: string,
): Promise<Environment> {
  return environmentOf(await readDefinition(parts, environmentKey(projectId, name), "environment-not-found"));
}

/** Of every project. */
export async function listAllEnvironments({ catalog }: EngineParts): Promise<readonly Environment[]> {
  return (await catalog.listDefinitions({ kind: "environment" })).definitions.map(environmentOf);
}

export const environmentOf = ({ projectId, name, spec }: DefinitionRecord): Environment =>
  toEnvironment({ ...(spec as Omit<EnvironmentWish, "projectId" | "name">), projectId, name });
