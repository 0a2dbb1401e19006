import { Failure, type FailureCode } from "../core/failure.ts";
import type { DefinitionRecord } from "../core/ports/definition-records.ts";
import { makeContext, makeLogLine, type EngineParts } from "./parts.ts";
import { readProject } from "./read-project.ts";
import { runTaskAlone } from "./run-worker.ts";

/** Before the first backup of a project there is nothing to save into; the first backup makes it. */
const nothingThereYet: ReadonlySet<FailureCode> = new Set([
  "repository-not-found",
  "bucket-not-found",
  "key-missing",
]);

/**
 * Writes what is defined in a project into its repository. What could not be saved stays unsaved in the catalog, and
 * is tried again; nobody's call fails for it. Returns whether there is nothing left to save.
 */
async function saveDefinitions(
  parts: EngineParts,
  projectId: string,
  signal: AbortSignal = new AbortController().signal,
): Promise<boolean> {
  try {
    const definitions = await parts.catalog.listProjectDefinitions(projectId);
    const { repository = parts.defaultRepository } = await readProject(parts, projectId);
    const context = makeContext(parts, { repository, projectId });
    const task = { kind: "save-definitions", context, definitions } as const;
    const { changedElsewhere } = await runTaskAlone(parts, "save-definitions", task, { signal });
    const others = new Set(changedElsewhere.map(({ kind, name }) => `${kind}/${name}`));
    await parts.catalog.markDefinitionsSaved(
      definitions.filter(({ kind, name }) => !others.has(`${kind}/${name}`)),
    );
    for (const definition of changedElsewhere) await takeOver(parts, definition);
    return true;
  } catch (error) {
    const { code, message } = Failure.from(error);
    const isEarly = nothingThereYet.has(code) && !(await hasBackups(parts, projectId));
    if (!isEarly && code !== "cancelled") {
      const what = `What is defined in project ${projectId} is in the catalog and could not be saved in its repository yet`;
      parts.notice(makeLogLine(parts, "warn", `${what}: ${message} It is tried again.`));
    }
    return false;
  }
}

/** Of what was changed here and in another installation the later change counts, in the repository and so here. */
async function takeOver(parts: EngineParts, definition: DefinitionRecord): Promise<void> {
  if (!(await parts.catalog.adoptDefinition(definition))) return;
  const { kind, name, projectId, changedAtMs } = definition;
  const message =
    `The ${kind} ${name} of project ${projectId} was changed by another installation at ${new Date(changedAtMs).toISOString()}, ` +
    "later than here: that change counts, and was taken over.";
  parts.notice(makeLogLine(parts, "warn", message));
}

async function hasBackups({ catalog }: EngineParts, projectId: string): Promise<boolean> {
  return (await catalog.listBackups({ projectId, outcome: "Completed", limit: 1 })).backups.length > 0;
}

/** Saves what is unsaved of one project, if anything is. */
export async function saveUnsaved(parts: EngineParts, projectId: string): Promise<void> {
  if ((await parts.catalog.listUnsavedProjects()).includes(projectId))
    await saveDefinitions(parts, projectId);
}

/** After a change: a server does it beside its calls, any other process before its call ends. */
export async function saveChange(parts: EngineParts, projectId: string): Promise<void> {
  if (projectId === "") return;
  const saved = saveDefinitions(parts, projectId).then(() => undefined);
  if (parts.isTended) parts.background(saved);
  else await saved;
}

const firstPauseMs = 60_000;
const longestPauseMs = 3_600_000;

/** Tries again what could not be saved, less and less often while it goes wrong. */
export function createDefinitionTender(parts: EngineParts): (signal: AbortSignal) => Promise<void> {
  const pauses = new Map<string, { readonly untilMs: number; readonly pauseMs: number }>();
  return async (signal) => {
    const unsaved = await parts.catalog.listUnsavedProjects();
    for (const projectId of unsaved) {
      if (signal.aborted) return;
      const nowMs = parts.clock.nowMs();
      const pause = pauses.get(projectId);
      if (pause !== undefined && nowMs < pause.untilMs) continue;
      if (await saveDefinitions(parts, projectId, signal)) {
        pauses.delete(projectId);
        continue;
      }
      const pauseMs = Math.min(longestPauseMs, (pause?.pauseMs ?? firstPauseMs / 2) * 2);
      pauses.set(projectId, { untilMs: nowMs + pauseMs, pauseMs });
    }
  };
}
