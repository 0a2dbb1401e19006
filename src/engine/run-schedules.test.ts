import { expect, it } from "vitest";
import { Failure, type FailureCode } from "../core/failure.ts";
import type { Catalog } from "../core/ports/catalog.ts";
import type { DefinitionRecord } from "../core/ports/definition-records.ts";
import { MemoryCatalog } from "../../test/simulation/memory-catalog.ts";
import { Bell } from "./bell.ts";
import { OperationQueue } from "./operation-queue.ts";
import type { EngineParts } from "./parts.ts";
import { lookAtSchedules } from "./run-schedules.ts";

const hourMs = 3_600_000;
const night = Date.UTC(2026, 10, 10, 2);
const spec = {
  cron: "0 2 * * *",
  timeZone: "UTC",
  fromMs: night - hourMs,
  backup: { provider: "local", storage: { url: "file:///srv/files" } },
};
const definition: DefinitionRecord = {
  kind: "schedule",
  projectId: "shop",
  name: "nightly",
  spec,
  revision: 1,
  createdAtMs: night - hourMs,
  changedAtMs: night - hourMs,
};

/** A look at a slot while its backup cannot be prepared. */
async function lookWhile(code: FailureCode) {
  const catalog = new MemoryCatalog();
  catalog.definitions.push(definition);
  const clock = { nowMs: () => night };
  let failure: Failure | undefined = new Failure(code, "It is so.");
  const parts = {
    catalog: Object.assign(catalog, {
      getDefinition: async () => {
        if (failure !== undefined) throw failure;
        return await Promise.resolve(undefined);
      },
    }) as Partial<Catalog> as Catalog,
    clock,
    ids: { hex: (length: number) => "0".repeat(length) },
    queue: new OperationQueue({ backups: 1, restores: 1 }, clock),
    scheduleBell: new Bell(),
    defaultRepository: "file:///srv/backups",
    notice: () => undefined,
  } as Partial<EngineParts> as EngineParts;
  await lookAtSchedules(parts, new Map());
  const first = catalog.allSlots().map(({ outcome }) => outcome);
  failure = undefined;
  await lookAtSchedules(parts, new Map());
  return { first, later: catalog.allSlots().map(({ outcome }) => outcome) };
}

it("looks again at a slot whose backup could not be prepared for a reason that passes", async () => {
  expect(await lookWhile("catalog-failed")).toEqual({ first: [], later: ["ran"] });
});

it("answers a slot whose backup is refused", async () => {
  expect(await lookWhile("project-not-found")).toEqual({ first: ["refused"], later: ["refused"] });
});
