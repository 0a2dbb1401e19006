/** The operations that are killed: what is there before, how each is asked for, and what must hold when it has ended. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { RestoreSpec } from "../../src/contract/operations.ts";
import { makeOperationId } from "../../src/core/repository/layout.ts";
import type { EngineCall } from "./engine-program.ts";
import {
  compareContent,
  fillDatabase,
  fillFolder,
  leftTemporary,
  readContent,
  waiting,
  type Content,
  type Lab,
  type Machine,
} from "./lab.ts";

export interface Scenario {
  readonly name: string;
  prepare(lab: Lab, run: string): Promise<Prepared>;
}

/** One run, ready to begin. */
export interface Prepared {
  readonly machine: Machine;
  readonly call: EngineCall;
  /** How it ended, in a word, and everything that is not as it should be. */
  check(): Promise<Checked>;
  clear(): Promise<void>;
}

export interface Checked {
  readonly outcome: string;
  readonly problems: readonly string[];
}

const newId = (kind: "backup" | "restore"): string =>
  makeOperationId(kind, Date.now(), randomBytes(3).toString("hex"));

const backup: Scenario = {
  name: "backup",
  prepare: async (lab, run) => {
    const machine = await lab.openMachine(run);
    const id = newId("backup");
    return {
      machine,
      call: { verb: "backup", id, spec: lab.backupSpec() },
      check: async () => {
        const { status } = await machine.service.getBackup({ backupId: id });
        return {
          outcome: status,
          problems: [
            ...(status === "Completed" ? [] : [`the backup ended as ${status}`]),
            ...(await lookAtRepository(machine, [id])),
            ...(await lookAtSource(lab)),
          ],
        };
      },
      clear: async () => await machine.close(),
    };
  },
};

const restore: Scenario = {
  name: "restore",
  prepare: async (lab, run) => {
    const { machine, target, before, drop } = await prepareTarget(lab, run);
    const id = newId("restore");
    return {
      machine,
      call: { verb: "restore", id, spec: restoreSpec(lab, target) },
      check: async () => {
        const { status } = await machine.service.getRestore(id);
        const problems =
          status === "Completed"
            ? await lookAtRestored(lab, machine, id, target)
            : await lookAtUnchanged(lab, machine, id, target, before);
        return {
          outcome: status,
          problems: [...problems, ...(await lookAtRepository(machine, lab.backupIds))],
        };
      },
      clear: drop,
    };
  },
};

const undo: Scenario = {
  name: "undo",
  prepare: async (lab, run) => {
    const { machine, target, before, drop } = await prepareTarget(lab, run);
    const restored = await machine.service.createRestore(restoreSpec(lab, target), {}, waiting());
    return {
      machine,
      call: { verb: "undo", id: restored.restoreId },
      check: async () => {
        const view = await machine.service.getRestore(restored.restoreId);
        const problems =
          view.undone === undefined
            ? ["the restore is not undone"]
            : await lookAtTarget(lab, target, before, ["_undone_"]);
        return {
          outcome: view.undone === undefined ? "open" : "Completed",
          problems: [...problems, ...(await lookAtRepository(machine, lab.backupIds))],
        };
      },
      clear: drop,
    };
  },
};

const deletion: Scenario = {
  name: "delete",
  prepare: async (lab, run) => {
    const machine = await lab.openMachine(run, { copy: true });
    const [deleted, kept] = lab.backupIds;
    return {
      machine,
      call: { verb: "delete", id: deleted },
      check: async () => ({ outcome: "Completed", problems: await lookAtRepository(machine, [kept]) }),
      clear: async () => await machine.close(),
    };
  },
};

export const scenarios: readonly Scenario[] = [backup, restore, undo, deletion];

interface Target {
  readonly database: string;
  readonly folder: string;
}

/** A running site that holds something else than the backup. */
async function prepareTarget(lab: Lab, run: string) {
  const machine = await lab.openMachine(run, { copy: true });
  const { server, source } = lab;
  const target = { database: `site_${randomBytes(4).toString("hex")}`, folder: join(machine.folder, "site") };
  await server.query(`CREATE DATABASE ${target.database} OWNER "${source.owner.name}"`);
  await fillDatabase(server, target.database, source.owner.name, "changed since");
  await fillFolder(target.folder, "changed since");
  const before = await readContent(server, target.database, target.folder);
  const drop = async (): Promise<void> => {
    for (const name of await databasesOf(lab, target))
      await server.query(`DROP DATABASE "${name}" WITH (FORCE)`);
    await machine.close();
  };
  return { machine, target, before, drop };
}

const restoreSpec = (lab: Lab, { database, folder }: Target): RestoreSpec => ({
  projectId: "shop",
  backupId: lab.backupIds[1],
  restoreType: "full",
  database: { url: lab.server.urlOf(database, lab.source.owner.name) },
  storage: { url: pathToFileURL(folder).href, mode: "mirror" },
  include: [],
  tables: [],
});

/** The target and everything beside it. */
async function databasesOf(lab: Lab, { database }: Target): Promise<string[]> {
  const rows = await lab.server.query(
    `SELECT datname FROM pg_database WHERE datname LIKE '${database}%' ORDER BY datname`,
  );
  return rows.map(({ datname }) => String(datname));
}

/** Exactly these backups can be seen, they are whole, and after a sweep nothing else is there. */
async function lookAtRepository(machine: Machine, backupIds: readonly string[]): Promise<string[]> {
  const { service, repository } = machine;
  const problems: string[] = [];
  const expected = [...backupIds].sort().join(", ");
  const { backups: listed } = await service.listBackups({ limit: 100 });
  const seen = { list: listed.map(({ backupId }) => backupId), scan: [] as string[] };
  await service.sweepRepository(repository, { dryRun: false, minimumAgeSeconds: 0 }, waiting());
  const scanned = await service.scanRepository(repository, { projectId: "shop" }, waiting());
  seen.scan = scanned.backups.map(({ backupId }) => backupId);
  for (const [where, ids] of Object.entries(seen)) {
    const found = ids.sort().join(", ");
    if (found !== expected) problems.push(`${where} shows ${found || "nothing"} instead of ${expected}`);
  }
  if (scanned.unsealed > 0 || scanned.incomplete.length > 0)
    problems.push("a folder is left that is no backup");
  const checked = await service.checkRepository(repository, { readData: true }, waiting());
  problems.push(...checked.damages.map(({ message }) => `damage: ${message}`));
  problems.push(...checked.leftovers.map(({ name }) => `${name} is left in the repository`));
  const unfinished = await machine.place.listUnfinished();
  problems.push(...unfinished.map((name) => `${name} was begun and is left in the repository`));
  problems.push(...(await leftTemporary(machine)).map((name) => `${name} is left`));
  return problems;
}

async function lookAtSource(lab: Lab): Promise<string[]> {
  const now = await readContent(lab.server, lab.source.name, lab.files);
  return compareContent(lab.content, now).map((difference) => `the source changed: ${difference}`);
}

/** Wholly new, and the former database kept under the name that the restore says. */
async function lookAtRestored(
  lab: Lab,
  machine: Machine,
  restoreId: string,
  target: Target,
): Promise<string[]> {
  const { database } = await machine.service.getRestore(restoreId);
  const problems = await lookAtTarget(lab, target, lab.content, ["_before_"]);
  const names = await databasesOf(lab, target);
  const retired = database?.retiredDatabase;
  if (retired === undefined || !names.includes(retired)) problems.push("the former database is not named");
  return problems;
}

/** Unchanged, or back as it was once the restore is undone, where it says that files had been replaced. */
async function lookAtUnchanged(
  lab: Lab,
  machine: Machine,
  restoreId: string,
  target: Target,
  before: Content,
): Promise<string[]> {
  const { error } = await machine.service.getRestore(restoreId);
  const hint = error?.message.includes(`lc2 restore undo ${restoreId}`) === true;
  if (hint) await machine.service.undoRestore(restoreId, waiting());
  const problems = await lookAtTarget(lab, target, before, []);
  return problems.map((problem) => `${problem} (${error?.message ?? "no reason"})`);
}

async function lookAtTarget(
  lab: Lab,
  target: Target,
  expected: Content,
  beside: readonly string[],
): Promise<string[]> {
  const now = await readContent(lab.server, target.database, target.folder);
  const problems = compareContent(expected, now).map((difference) => `the target differs: ${difference}`);
  const others = (await databasesOf(lab, target)).filter((name) => name !== target.database);
  const isExpected =
    others.length === beside.length && others.every((name, at) => name.includes(beside[at] ?? "?"));
  if (!isExpected) problems.push(`beside the target is ${others.join(", ") || "nothing"}`);
  return problems;
}
