import { describeEntry, type RestoreEntry } from "./restore-entry.ts";
import type { PlanNote } from "./restore.ts";

/** What is known of the role that restores and of the server it restores into. */
export interface TargetRights {
  readonly user: string;
  readonly superuser: boolean;
  readonly serverMajor: number;
  /** Every role of the server (and those that will be made first). */
  readonly roles: ReadonlySet<string>;
  /** Roles whose objects this role can make: those it may act as. */
  readonly actsAs: ReadonlySet<string>;
  readonly extensions: ReadonlyMap<string, ExtensionFacts>;
  /** May use these tablespaces. */
  readonly tablespaces: ReadonlySet<string>;
  /** Owns the schema `public` of the database that is loaded, or will. */
  readonly ownsPublicSchema: boolean;
}

export interface ExtensionFacts {
  /** May be created by a role that is not superuser and may create in the database. */
  readonly trusted: boolean;
  /** Is in the database that is loaded already. */
  readonly installed: boolean;
}

export interface LeftOut {
  readonly dumpId: number;
  readonly what: string;
  readonly why: string;
}

export interface LeaveOutDecision {
  readonly leaveOut: readonly LeftOut[];
  readonly blockers: readonly PlanNote[];
  readonly warnings: readonly string[];
  readonly noOwner: boolean;
  readonly noTablespaces: boolean;
}

/** Entries that pg_restore handles only when it creates the database itself; applied separately. */
const databaseKinds: ReadonlySet<string> = new Set(["DATABASE", "DATABASE PROPERTIES"]);

/** Not in the archive's way: no SQL of their own that a restore into a database runs. */
const silentKinds: ReadonlySet<string> = new Set([...databaseKinds, "ENCODING", "STDSTRINGS", "SEARCHPATH"]);

/** Kinds without which the rows would not be there, or a restore would not be what was backed up. */
const essentialKinds: ReadonlySet<string> = new Set([
  "TABLE",
  "TABLE DATA",
  "TABLE ATTACH",
  "SEQUENCE",
  "SEQUENCE SET",
  "SCHEMA",
  "BLOB",
  "BLOBS",
  "BLOB METADATA",
]);

/** Kinds that go silently with what they are on. */
const attachedKinds: ReadonlySet<string> = new Set(["COMMENT", "ACL", "SECURITY LABEL", "DEFAULT ACL"]);

/**
 * Decides from the table of contents what this role cannot create, so that it is left out by explicit list
 * and any error after that is a real one. What depends on something left out goes with it; where that
 * would take tables or rows, it is a blocker instead. Pure.
 */
export function decideLeaveOut(
  entries: readonly RestoreEntry[],
  rights: TargetRights,
  options: { readonly noOwner?: boolean | undefined } = {},
): LeaveOutDecision {
  const left = new Map<number, LeftOut>();
  const blockers: PlanNote[] = [];
  for (const entry of entries) {
    if (silentKinds.has(entry.kind) || isOnDatabase(entry)) continue;
    const why = whyNot(entry, rights, entries);
    if (why !== undefined) left.set(entry.dumpId, { dumpId: entry.dumpId, what: describeEntry(entry), why });
  }
  for (const entry of entries) {
    if (entry.kind !== "EXTENSION" || rights.extensions.has(entry.name)) continue;
    blockers.push({
      code: "extension-missing",
      message: `The target server does not have the extension "${entry.name}". Install its package there.`,
    });
  }
  blockers.push(...restrictionsLost(entries, rights));
  spread(entries, left, blockers);
  const owners = decideOwners(entries, left, rights, options.noOwner);
  const tablespaces = new Set(entries.map((entry) => entry.tablespace).filter((name) => name !== ""));
  const missing = [...tablespaces].filter((name) => !rights.tablespaces.has(name)).toSorted();
  const warnings =
    missing.length === 0
      ? []
      : [
          `The target has no usable tablespace ${missing.join(", ")}: everything goes to its default tablespace.`,
        ];
  return {
    leaveOut: [...left.values()].toSorted((a, b) => a.dumpId - b.dumpId),
    blockers: [...blockers, ...owners.blockers],
    warnings: [...owners.warnings, ...warnings],
    noOwner: owners.noOwner,
    noTablespaces: missing.length > 0,
  };
}

/** Comments, grants and labels on the database itself. */
export function isOnDatabase(entry: RestoreEntry): boolean {
  return attachedKinds.has(entry.kind) && entry.name.startsWith("DATABASE ");
}

function whyNot(
  entry: RestoreEntry,
  rights: TargetRights,
  entries: readonly RestoreEntry[],
): string | undefined {
  return entry.kind === "EXTENSION"
    ? whyNotExtension(entry, rights)
    : entry.kind === "ACL" || entry.kind === "DEFAULT ACL"
      ? whyNotGrant(entry, rights)
      : entry.kind === "POLICY"
        ? whyNotPolicy(entry, rights)
        : entry.kind === "USER MAPPING"
          ? whyNotUserMapping(entry, rights)
          : rights.superuser
            ? undefined
            : whyNotOrdinary(entry, rights, entries);
}

function whyNotExtension(entry: RestoreEntry, rights: TargetRights): string | undefined {
  const facts = rights.extensions.get(entry.name);
  if (facts === undefined || facts.installed || rights.superuser || facts.trusted) return undefined;
  return "only a superuser can create this extension";
}

/** Kinds that only a superuser can create. */
const superuserKinds: ReadonlySet<string> = new Set([
  "ACCESS METHOD",
  "EVENT TRIGGER",
  "FOREIGN DATA WRAPPER",
  "LANGUAGE",
  "OPERATOR CLASS",
  "OPERATOR FAMILY",
  "PROCEDURAL LANGUAGE",
  "PUBLICATION TABLES IN SCHEMA",
  "SECURITY LABEL",
  "SUBSCRIPTION",
  "TEXT SEARCH PARSER",
  "TEXT SEARCH TEMPLATE",
  "TRANSFORM",
]);

/** Definitions of other kinds that only a superuser can create. */
const superuserDefinitions: Readonly<Record<string, RegExp>> = {
  CAST: /\sWITHOUT FUNCTION|WITH INOUT/,
  FUNCTION: /\bLANGUAGE (?:c|internal)\b/,
  PROCEDURE: /\bLANGUAGE (?:c|internal)\b/,
  PUBLICATION: /\sFOR ALL (?:TABLES|SEQUENCES)/,
  TYPE: /\bINPUT = /,
};

function whyNotOrdinary(
  entry: RestoreEntry,
  rights: TargetRights,
  entries: readonly RestoreEntry[],
): string | undefined {
  const { kind, definition } = entry;
  if (superuserKinds.has(kind) || superuserDefinitions[kind]?.test(definition) === true) {
    return "only a superuser can create it";
  }
  if (kind === "COMMENT") return whyNotComment(entry, rights, entries);
  return isPublic(entry) && !mayOwnPublic(entry, rights) ? publicIsForeign : undefined;
}

/** Every new database has a schema public; its entry only gives it an owner. */
const isPublic = (entry: RestoreEntry): boolean => entry.kind === "SCHEMA" && entry.name === "public";

const publicIsForeign = "schema public has another owner";

const mayOwnPublic = (entry: RestoreEntry, rights: TargetRights): boolean =>
  rights.ownsPublicSchema && (entry.owner === "pg_database_owner" || rights.actsAs.has(entry.owner));

function whyNotComment(
  entry: RestoreEntry,
  rights: TargetRights,
  entries: readonly RestoreEntry[],
): string | undefined {
  if (entry.name === "SCHEMA public" && !rights.ownsPublicSchema) return publicIsForeign;
  const extension = /^EXTENSION (.*)$/.exec(entry.name)?.[1];
  if (extension === undefined) {
    const subject = entries.find((other) => entry.dependencies.includes(other.dumpId));
    return subject?.kind === "EVENT TRIGGER" ? "only a superuser can create it" : undefined;
  }
  const facts = rights.extensions.get(unquote(extension));
  return facts?.installed === false && facts.trusted ? undefined : "the extension has another owner";
}

/** The roles a GRANT, REVOKE or ALTER DEFAULT PRIVILEGES names, by statement. */
export function rolesNamedIn(statement: string): string[] {
  const found: string[] = [];
  for (const match of statement.matchAll(rolePattern)) {
    const role = match[1];
    if (role !== undefined && role !== "PUBLIC") found.push(unquote(role));
  }
  return found;
}

const rolePattern = /(?: TO| FROM|FOR ROLE|SESSION AUTHORIZATION) ("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)/g;

export const unquote = (name: string): string =>
  name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;

/** Whether one statement of a grant can be run by this role. */
export function grantIsPossible(statement: string, rights: TargetRights): boolean {
  if (!rolesNamedIn(statement).every((role) => rights.roles.has(role))) return false;
  if (rights.superuser) return true;
  if (/SESSION AUTHORIZATION/.test(statement)) return false;
  const forRole = /FOR ROLE ("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)/.exec(statement)?.[1];
  return forRole === undefined || rights.actsAs.has(unquote(forRole));
}

function whyNotGrant(entry: RestoreEntry, rights: TargetRights): string | undefined {
  if (entry.name === "SCHEMA public" && !rights.superuser && !rights.ownsPublicSchema) {
    return publicIsForeign;
  }
  const missing = rolesNamedIn(entry.definition).filter((role) => !rights.roles.has(role));
  if (missing.length > 0) return `the target has no role ${[...new Set(missing)].join(", ")}`;
  return grantIsPossible(entry.definition, rights) ? undefined : "it was granted by another role";
}

function whyNotPolicy(entry: RestoreEntry, rights: TargetRights): string | undefined {
  const missing = rolesOfPolicy(entry).filter((name) => !rights.roles.has(name));
  return missing.length === 0
    ? undefined
    : `the target has no role ${missing.join(", ")}; without it less is allowed`;
}

/** None where the policy is for everybody. Conditions, which may hold any text, are not looked at. */
function rolesOfPolicy({ definition }: RestoreEntry): string[] {
  const head = definition.split(/\s(?:USING|WITH CHECK) \(/)[0] ?? "";
  const to = /\sTO (.+)$/s.exec(head)?.[1] ?? "";
  const names = to.match(/"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*/g) ?? [];
  return names.filter((name) => name !== "PUBLIC").map(unquote);
}

/** Without a restrictive policy more would be allowed to those of its roles that there are. */
function restrictionsLost(entries: readonly RestoreEntry[], rights: TargetRights): PlanNote[] {
  return entries
    .filter(({ kind, definition }) => kind === "POLICY" && /\sAS RESTRICTIVE\s/.test(definition))
    .flatMap((entry) => {
      const roles = rolesOfPolicy(entry);
      const missing = roles.filter((name) => !rights.roles.has(name));
      if (missing.length === 0 || missing.length === roles.length) return [];
      return [
        {
          code: "rights-missing-to-restore" as const,
          message:
            `The target has no role ${missing.join(", ")}, without which the restrictive ${describeEntry(entry)} cannot ` +
            "be created, and others would be allowed more than before. Create the role, or use --create-roles.",
        },
      ];
    });
}

function whyNotUserMapping(entry: RestoreEntry, rights: TargetRights): string | undefined {
  const role = /USER MAPPING (?:IF NOT EXISTS )?FOR ("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)/.exec(
    entry.definition,
  )?.[1];
  if (role === undefined || role === "public" || role === "PUBLIC") return undefined;
  return rights.roles.has(unquote(role)) ? undefined : `the target has no role ${unquote(role)}`;
}

/** Takes along what depends on something left out; a table among it becomes a blocker. */
function spread(entries: readonly RestoreEntry[], left: Map<number, LeftOut>, blockers: PlanNote[]): void {
  const carriers = new Map(
    entries
      .filter((e) => left.has(e.dumpId) && !attachedKinds.has(e.kind) && !isPublic(e))
      .map((e) => [e.dumpId, e]),
  );
  const blamed = new Set<number>();
  for (let grew = carriers.size > 0; grew;) {
    grew = false;
    for (const entry of entries) {
      if (left.has(entry.dumpId)) continue;
      const cause = entry.dependencies.map((id) => carriers.get(id)).find((found) => found !== undefined);
      if (cause === undefined) continue;
      if (essentialKinds.has(entry.kind)) {
        if (blamed.has(cause.dumpId)) continue;
        blamed.add(cause.dumpId);
        blockers.push(needed(entry, cause, left.get(cause.dumpId)));
        continue;
      }
      left.set(entry.dumpId, {
        dumpId: entry.dumpId,
        what: describeEntry(entry),
        why: `it needs ${describeEntry(cause)}`,
      });
      if (!attachedKinds.has(entry.kind)) carriers.set(entry.dumpId, entry);
      grew = true;
    }
  }
}

function needed(entry: RestoreEntry, cause: RestoreEntry, left: LeftOut | undefined): PlanNote {
  return {
    code: "rights-missing-to-restore",
    message:
      `${describeEntry(entry)} needs ${describeEntry(cause)}, and ${left?.why ?? "this role cannot create it"}. ` +
      (cause.kind === "EXTENSION"
        ? `Have a superuser create an empty database with that extension and restore with --into empty, ` +
          `or restore as a superuser.`
        : `Restore as a superuser.`),
  };
}

function decideOwners(
  entries: readonly RestoreEntry[],
  left: ReadonlyMap<number, LeftOut>,
  rights: TargetRights,
  wanted: boolean | undefined,
): { noOwner: boolean; warnings: string[]; blockers: PlanNote[] } {
  if (wanted === true) return { noOwner: true, warnings: [], blockers: [] };
  const owners = new Set(
    entries
      .filter((entry) => !left.has(entry.dumpId) && !silentKinds.has(entry.kind) && !isOnDatabase(entry))
      .filter((entry) => !attachedKinds.has(entry.kind) && entry.kind !== "EXTENSION")
      .map((entry) => entry.owner),
  );
  owners.delete("");
  owners.delete("pg_database_owner");
  const foreign = [...owners]
    .filter((owner) => !(rights.superuser ? rights.roles : rights.actsAs).has(owner))
    .toSorted();
  if (foreign.length === 0) return { noOwner: false, warnings: [], blockers: [] };
  const which =
    `objects of ${foreign.map((owner) => `"${owner}"`).join(", ")}: ` +
    (rights.superuser ? "the target has no such role" : `role "${rights.user}" cannot act as that role`);
  if (wanted === false) {
    return {
      noOwner: false,
      warnings: [],
      blockers: [
        {
          code: "rights-missing-to-restore",
          message: `Owners cannot be kept for ${which}. Leave out --owner.`,
        },
      ],
    };
  }
  return {
    noOwner: true,
    warnings: [`Everything will belong to "${rights.user}", because of ${which}.`],
    blockers: [],
  };
}
