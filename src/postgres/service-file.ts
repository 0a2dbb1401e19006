import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Failure } from "../core/failure.ts";

/**
 * The parameters of a service, from PGSERVICEFILE, ~/.pg_service.conf or the system's pg_service.conf.
 * Rejects with `usage` when no file has it.
 */
export async function findServiceParameters(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Record<string, string>> {
  const own = env["PGSERVICEFILE"] ?? join(env["HOME"] ?? homedir(), ".pg_service.conf");
  const systems = env["PGSYSCONFDIR"]
    ? [env["PGSYSCONFDIR"]]
    : ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc"];
  const paths = [own, ...systems.map((folder) => join(folder, "pg_service.conf"))];
  for (const path of paths) {
    const text = await readFile(path, "utf8").catch(() => undefined);
    const found = text === undefined ? undefined : parseServiceFile(text).get(name);
    if (found) return found;
  }
  throw new Failure(
    "usage",
    `There is no service "${name}" in ${paths.join(", ")}. Add it or name the host.`,
  );
}

/** Sections `[name]` of `parameter=value` lines. The first section of a name counts, as in libpq. */
export function parseServiceFile(text: string): Map<string, Record<string, string>> {
  const services = new Map<string, Record<string, string>>();
  let current: Record<string, string> | undefined;
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const section = /^\[(.*)\]$/.exec(line)?.[1];
    if (section !== undefined) {
      current = {};
      if (!services.has(section)) services.set(section, current);
      continue;
    }
    const equals = line.indexOf("=");
    if (current && equals > 0) current[line.slice(0, equals).trim()] = line.slice(equals + 1).trim();
  }
  return services;
}
