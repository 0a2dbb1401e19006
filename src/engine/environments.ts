import type { Environments, EnvironmentView } from "../contract/environments.ts";
import { toEnvironment, type Environment, type EnvironmentWish } from "../core/environment/environment.ts";
import { usualPurposes } from "../core/environment/environment-check.ts";
import { validateEnvironment } from "../core/environment/validate-environment.ts";
import type { DefinitionKey, DefinitionRecord } from "../core/ports/definition-records.ts";
import { factsOf, readDefinition, removeDefinition, writeDefinition } from "./definitions.ts";
import { makeContext, type EngineParts } from "./parts.ts";
import { ensureProject, readProject } from "./read-project.ts";
import { refuseProblems, runTaskFor } from "./service-call.ts";

const keyOf = (projectId: string, name: string): DefinitionKey => ({ kind: "environment", projectId, name });

/** The verbs of environments. */
export function createEnvironmentService(parts: EngineParts): Environments {
  return {
    putEnvironment: async (wish, options) => {
      const environment = toEnvironment(wish);
      refuseProblems(validateEnvironment(environment));
      const { projectId, name, ...spec } = environment;
      if (options.dryRun !== true) await ensureProject(parts, projectId);
      const written = await writeDefinition(parts, keyOf(projectId, name), spec, options);
      return { outcome: written.outcome, view: viewEnvironment(written.view) };
    },

    listEnvironments: async (query) => {
      const { definitions, total } = await parts.catalog.listDefinitions({ kind: "environment", ...query });
      return { environments: definitions.map(viewEnvironment), total };
    },

    getEnvironment: async ({ projectId, name }) =>
      viewEnvironment(await readDefinition(parts, keyOf(projectId, name), "environment-not-found")),

    checkEnvironment: async ({ projectId, name }, { purposes }, waiting) => {
      const environment = await readEnvironment(parts, projectId, name);
      const { repository = parts.defaultRepository } = await readProject(parts, projectId);
      const context = makeContext(parts, { repository, projectId });
      const wanted = purposes ?? usualPurposes(environment.role);
      const task = { kind: "check-environment", context, environment, purposes: wanted } as const;
      return await runTaskFor(parts, task, waiting);
    },

    deleteEnvironment: async ({ projectId, name }, options) =>
      viewEnvironment(
        await removeDefinition(parts, keyOf(projectId, name), options, "environment-not-found"),
      ),
  };
}

/** Rejects with `environment-not-found`. */
export async function readEnvironment(
  parts: EngineParts,
  projectId: string,
  name: string,
): Promise<Environment> {
  return environmentOf(await readDefinition(parts, keyOf(projectId, name), "environment-not-found"));
}

/** Of every project. */
export async function listAllEnvironments({ catalog }: EngineParts): Promise<readonly Environment[]> {
  return (await catalog.listDefinitions({ kind: "environment" })).definitions.map(environmentOf);
}

const environmentOf = ({ projectId, name, spec }: DefinitionRecord): Environment =>
  toEnvironment({ ...(spec as Omit<EnvironmentWish, "projectId" | "name">), projectId, name });

const viewEnvironment = (record: DefinitionRecord): EnvironmentView => ({
  ...environmentOf(record),
  ...factsOf(record),
});
