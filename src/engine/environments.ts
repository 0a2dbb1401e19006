import type { Environments, EnvironmentView } from "../contract/environments.ts";
import { toEnvironment, type Environment } from "../core/environment/environment.ts";
import { checkHooks } from "../core/environment/environment-hooks.ts";
import { usualPurposes, type CheckPurpose } from "../core/environment/environment-check.ts";
import { validateEnvironment } from "../core/environment/validate-environment.ts";
import type { DefinitionRecord } from "../core/ports/definition-records.ts";
import { refuseProblems } from "../core/problem.ts";
import { factsOf, readDefinition, removeDefinition, writeDefinition } from "./definitions.ts";
import { takeFinding } from "./hold-places.ts";
import { makeContext, type EngineParts, type TaskRequest } from "./parts.ts";
import { environmentKey, environmentOf, readEnvironment } from "./read-environment.ts";
import { ensureProject, readProject } from "./read-project.ts";
import { runTaskAlone } from "./run-worker.ts";
import { runTaskFor } from "./service-call.ts";

/** The verbs of environments. */
export function createEnvironmentService(parts: EngineParts): Environments {
  return {
    putEnvironment: async (wish, options) => {
      const environment = toEnvironment(wish);
      refuseProblems(validateEnvironment(environment));
      const { projectId, name, ...spec } = environment;
      if (options.dryRun !== true) await ensureProject(parts, projectId);
      const written = await writeDefinition(parts, environmentKey(projectId, name), spec, options);
      if (options.dryRun !== true && written.outcome !== "unchanged") await learnPlaces(parts, environment);
      return { outcome: written.outcome, view: viewEnvironment(written.view) };
    },

    listEnvironments: async (query) => {
      const { definitions, total } = await parts.catalog.listDefinitions({ kind: "environment", ...query });
      return { environments: definitions.map(viewEnvironment), total };
    },

    getEnvironment: async ({ projectId, name }) =>
      viewEnvironment(await readDefinition(parts, environmentKey(projectId, name), "environment-not-found")),

    checkEnvironment: async ({ projectId, name }, { purposes }, waiting) => {
      const environment = await readEnvironment(parts, projectId, name);
      const wanted = purposes ?? usualPurposes(environment.role);
      const policy = await parts.readHookPolicy();
      const hooks = wanted.flatMap((purpose) => checkHooks(environment, purpose, policy));
      const task = await makeCheck(parts, environment, wanted);
      const { result } = await takeFinding(parts, await runTaskFor(parts, task, waiting));
      return { checks: [...result.checks, ...hooks] };
    },

    deleteEnvironment: async ({ projectId, name }, options) =>
      viewEnvironment(
        await removeDefinition(parts, environmentKey(projectId, name), options, "environment-not-found"),
      ),
  };
}

async function makeCheck(
  parts: EngineParts,
  environment: Environment,
  purposes: readonly CheckPurpose[],
): Promise<TaskRequest & { readonly kind: "check-environment" }> {
  const { projectId } = environment;
  const { repository = parts.defaultRepository } = await readProject(parts, projectId);
  const context = makeContext(parts, { repository, projectId });
  return { kind: "check-environment", context, environment, purposes };
}

/** What its places are, as far as they can be reached; else a check, or what is done there, finds it out later. */
async function learnPlaces(parts: EngineParts, environment: Environment): Promise<void> {
  const { signal } = new AbortController();
  const learn = async (): Promise<void> => {
    const task = await makeCheck(parts, environment, []);
    await takeFinding(parts, await runTaskAlone(parts, task.kind, task, { signal }));
  };
  const learnt = learn().catch(() => undefined);
  if (parts.isTended) parts.background(learnt);
  else await learnt;
}

const viewEnvironment = (record: DefinitionRecord): EnvironmentView => ({
  ...environmentOf(record),
  ...factsOf(record),
});
