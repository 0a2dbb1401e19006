import type { FailureCode } from "../failure.ts";
import type { Hooks } from "../hooks/hook.ts";
import { canonicalJson } from "../repository/metadata.ts";
import type { DatabasePlan, PlanNote, RestorePlan } from "./restore.ts";

type RestoreInto = DatabasePlan["into"];

/** What was found where the restore is to go. */
export interface TargetObservation {
  readonly database: string;
  readonly user: string;
  readonly state: "missing" | "empty" | "occupied";
  /** May rename the database: owns it (or is a member of its owner). */
  readonly owns: boolean;
  readonly createDatabase: boolean;
  /** May create schemas in the target database, or at least tables in its schema public. */
  readonly mayCreateInside: boolean;
}

export interface IntoDecision {
  readonly into: RestoreInto;
  readonly blockers: readonly PlanNote[];
}

/**
 * Where the rows go. Nothing that exists is overwritten unless it was asked for: by default a missing database
 * is made, an empty one filled, and one that holds something is replaced by a swap, which can be undone. Who wants an
 * empty one and has none gets one made. Pure.
 */
export function chooseInto(wanted: RestoreInto | undefined, target: TargetObservation): IntoDecision {
  const isMissing = target.state === "missing";
  const into = wanted === "empty" && isMissing ? "new" : (wanted ?? defaultInto(target));
  const refuse = (code: FailureCode, message: string): IntoDecision => ({
    into,
    blockers: [{ code, message }],
  });
  const fine: IntoDecision = { into, blockers: [] };
  const { database, user } = target;
  switch (into) {
    case "new":
      return target.createDatabase ? fine : refuse("rights-missing-to-restore", noCreateDatabase(target));
    case "swap":
      if (isMissing) {
        return refuse(
          "database-not-found",
          `There is no database "${database}" to swap out. Use --into new.`,
        );
      }
      return target.owns && target.createDatabase
        ? fine
        : refuse("rights-missing-to-restore", swapNeeds(target));
    case "empty":
      if (target.state === "occupied") {
        return refuse(
          "target-occupied",
          `Database "${database}" is not empty. Name an empty one, or use --into swap (replaces it, can be undone), ` +
            "--into new (a new one beside it) or --into in-place.",
        );
      }
      return target.mayCreateInside
        ? fine
        : refuse(
            "rights-missing-to-restore",
            `Role "${user}" may not create anything in "${database}". Make it the owner: ` +
              `ALTER DATABASE ${quoted(database)} OWNER TO ${quoted(user)};`,
          );
    case "in-place":
      if (isMissing) {
        return refuse("database-not-found", `There is no database "${database}". Use --into new.`);
      }
      return target.mayCreateInside
        ? fine
        : refuse("rights-missing-to-restore", `Role "${user}" may not create anything in "${database}".`);
  }
}

function defaultInto(target: TargetObservation): RestoreInto {
  return target.state === "missing"
    ? "new"
    : target.state === "empty" && target.mayCreateInside
      ? "empty"
      : "swap";
}

function swapNeeds(target: TargetObservation): string {
  const { database, user } = target;
  const lacks = [
    ...(target.owns ? [] : [`does not own "${database}"`]),
    ...(target.createDatabase ? [] : ["may not create databases"]),
  ].join(" and ");
  const ways = [
    ...(target.createDatabase
      ? ["--into new (a new database beside it, which you point the application to)"]
      : []),
    "--into empty with the URL of an empty database",
    "--into in-place (in one transaction; cannot be undone by a swap)",
  ];
  return (
    `Database "${database}" holds something, and role "${user}" ${lacks}, so it cannot be swapped. ` +
    `Grant it (ALTER ROLE ${quoted(user)} CREATEDB; ALTER DATABASE ${quoted(database)} OWNER TO ${quoted(user)};), ` +
    `restore as a superuser, or use ${ways.join(", or ")}.`
  );
}

function noCreateDatabase(target: TargetObservation): string {
  return (
    `Role "${target.user}" may not create databases. Grant it (ALTER ROLE ${quoted(target.user)} CREATEDB;), or have ` +
    "an empty database created for it and restore with --into empty."
  );
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * The text whose SHA-256 names a plan: what decides the outcome, and what else is run. Left out are the restore's id and the names
 * derived from it, estimates, sentences for people, how much is transferred at a time, and what changes from minute to minute (open sessions).
 */
export function planHashInput(plan: Omit<RestorePlan, "hash">, hooks: Hooks): string {
  return canonicalJson({
    projectId: plan.projectId,
    backupId: plan.backupId,
    restoreType: plan.restoreType,
    blockers: plan.blockers.map((blocker) => blocker.code),
    database: plan.database === undefined ? undefined : hashedDatabase(plan.database, plan.restoreId),
    files: plan.files === undefined ? undefined : { ...plan.files, ...notHashedOfFiles },
    hooks: hooks.before.length + hooks.after.length === 0 ? undefined : hooks,
  });
}

const notHashedOfFiles = {
  estimatedSeconds: undefined,
  maxConcurrency: undefined,
  parallelTransfer: undefined,
};

function hashedDatabase(plan: DatabasePlan, restoreId: string): unknown {
  const {
    target,
    into,
    url,
    serverVersion,
    createDatabase,
    noOwner,
    noTablespaces,
    createRoles,
    endSessions,
  } = plan;
  const own = restoreId.replace(/^[a-z]+-/, "").replaceAll("-", "_");
  return {
    target,
    into,
    url,
    serverVersion,
    createDatabase,
    noOwner,
    noTablespaces,
    createRoles,
    endSessions,
    rows: plan.rows,
    bytes: plan.bytes,
    form: plan.form,
    leaveOut: plan.leaveOut.map((item) => item.dumpId),
    tables: plan.tables?.map((table) => ({ ...table, landsIn: table.landsIn.replaceAll(own, "*") })),
    replaces: plan.undoSchema !== undefined,
  };
}

/** The tables asked for, found in the backup; partitions of a parent come with it. Pure. */
interface SelectableTable {
  readonly schema: string;
  readonly name: string;
}

interface TableSelection {
  readonly chosen: readonly SelectableTable[];
  /** Spelled as they were asked for. */
  readonly unknown: readonly string[];
}

/**
 * `schema.name`, or `name` alone where only one schema has it; quotes as in SQL where a name holds a dot.
 */
export function selectTables(asked: readonly string[], tables: readonly SelectableTable[]): TableSelection {
  const chosen = new Map<string, SelectableTable>();
  const unknown: string[] = [];
  for (const text of asked) {
    const found = tables.filter((table) => spellings(table).includes(text));
    const exact = found.filter((table) => text !== table.name || found.length === 1);
    if (exact.length === 0) unknown.push(text);
    for (const table of exact) chosen.set(JSON.stringify([table.schema, table.name]), table);
  }
  return { chosen: [...chosen.values()], unknown };
}

const spellings = ({ schema, name }: SelectableTable): string[] => [
  `${schema}.${name}`,
  `${quoted(schema)}.${quoted(name)}`,
  `${schema}.${quoted(name)}`,
  `${quoted(schema)}.${name}`,
  name,
];

/** `1,714,424`: for sentences. */
export const showCount = (count: number): string => String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");

/** `1.2 GB`: for sentences. */
export function showBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}
