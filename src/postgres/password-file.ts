import { readFile, stat } from "node:fs/promises";

/** One line of a .pgpass file: host, port, database, user, password; `*` fits anything. */
export type PasswordLine = readonly [string, string, string, string, string];

/**
 * The lines of a .pgpass file; none where there is no such file, or where others may read it, as libpq
 * has it.
 */
export async function readPasswordFile(path: string): Promise<readonly PasswordLine[]> {
  try {
    const facts = await stat(path);
    if (!facts.isFile() || (facts.mode & 0o077) !== 0) return [];
    return parsePasswordFile(await readFile(path, "utf8"));
  } catch {
    return [];
  }
}

export function parsePasswordFile(text: string): readonly PasswordLine[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line !== "" && !line.startsWith("#"))
    .flatMap((line) => {
      const [host, port, database, user, password] = splitFields(line);
      if (host === undefined || port === undefined || database === undefined) return [];
      if (user === undefined || password === undefined) return [];
      return [[host, port, database, user, password] as const];
    });
}

/** The first line that fits. A socket's folder is `localhost` there, as in libpq. */
export function findPassword(
  lines: readonly PasswordLine[],
  wanted: { readonly host: string; readonly port: number; readonly database: string; readonly user: string },
): string | undefined {
  const hosts = wanted.host.startsWith("/") ? ["localhost", wanted.host] : [wanted.host];
  const fits = (field: string, value: string): boolean => field === "*" || field === value;
  return lines.find(
    ([host, port, database, user]) =>
      hosts.some((name) => fits(host, name)) &&
      fits(port, String(wanted.port)) &&
      fits(database, wanted.database) &&
      fits(user, wanted.user),
  )?.[4];
}

/** Fields end at a colon; a backslash takes the next character as it is. */
function splitFields(line: string): string[] {
  const fields: string[] = [];
  let field = "";
  for (let i = 0; i < line.length; i++) {
    const character = line[i] ?? "";
    if (character === "\\" && i + 1 < line.length) field += line[++i];
    else if (character === ":" && fields.length < 4) {
      fields.push(field);
      field = "";
    } else field += character;
  }
  return [...fields, field];
}
