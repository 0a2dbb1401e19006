/** Text from a command line to typed values. Each parser throws `InvalidValue` with one clear sentence. */
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { formatBucketUrl, isBucketUrl, parseBucketUrl } from "../core/files/bucket-url.ts";
import { InvalidValue } from "./command.ts";
import type { Parse } from "./command.ts";

const shown = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text);

export const text: Parse<string> = (written) => written;

export function oneOf<const T extends string>(...allowed: readonly T[]): Parse<T> {
  return (written) => {
    const found = allowed.find((each) => each === written);
    if (found === undefined) throw new InvalidValue(`${shown(written)} is not one of ${allowed.join(", ")}`);
    return found;
  };
}

/** As `oneOf`, whatever the case of the letters. */
export function oneOfAnyCase<const T extends string>(...allowed: readonly T[]): Parse<T> {
  return (written) => {
    const found = allowed.find((each) => each.toLowerCase() === written.toLowerCase());
    if (found === undefined) throw new InvalidValue(`${shown(written)} is not one of ${allowed.join(", ")}`);
    return found;
  };
}

export const encryptionModes = ["client", "server"] as const;

export const encryptionMode: Parse<(typeof encryptionModes)[number]> = (written) => {
  const found = encryptionModes.find((each) => each === written);
  if (found === undefined)
    throw new InvalidValue(
      `the encryption is client (by lc2) or server (by the store), not ${shown(written)}`,
    );
  return found;
};

export const applications = ["liferay", "drupal", "bloomreach"] as const;

export const application: Parse<(typeof applications)[number]> = (written) => {
  const found = applications.find((each) => each === written);
  if (found === undefined) {
    throw new InvalidValue(
      `there is no application profile ${shown(written)}; known are ${applications.join(", ")}`,
      "application-unknown",
    );
  }
  return found;
};

/** The core's `projectIdPattern`; a client takes no decisions from the core (a test compares the two). */
export const projectIdPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export const projectId: Parse<string> = (written) => {
  if (!projectIdPattern.test(written)) {
    throw new InvalidValue(
      `${shown(written)} is not a project id: lower-case letters, digits and hyphens, at most 63, first and last no hyphen`,
    );
  }
  return written;
};

export function wholeNumber(minimum: number, maximum: number): Parse<number> {
  return (written) => {
    const parsed = /^\d{1,15}$/.test(written) ? Number(written) : Number.NaN;
    if (!(parsed >= minimum && parsed <= maximum)) {
      throw new InvalidValue(`${shown(written)} is not a whole number from ${minimum} to ${maximum}`);
    }
    return parsed;
  };
}

const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  t: 1e12,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** "20MB", "1.5 GiB/s", "500000" → bytes (a second). */
export const byteRate: Parse<number> = (written) => {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)(?:\/s)?$/.exec(written.trim());
  const unit = byteUnits[(match?.[2] ?? "").toLowerCase()];
  const bytes = match === null || unit === undefined ? Number.NaN : Math.round(Number(match[1]) * unit);
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new InvalidValue(
      `${shown(written)} is not a rate; write bytes a second with a unit, such as 20MB or 64MiB`,
    );
  }
  if (bytes < 1000) {
    throw new InvalidValue(`${shown(written)} is less than 1 kB a second; write a unit, such as 20MB`);
  }
  return bytes;
};

const secondsPer: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  min: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
};

/** "24h", "30s", "1h30m" → seconds. */
export const durationSeconds: Parse<number> = (written) => {
  const parts = [...written.matchAll(/(\d+(?:\.\d+)?)\s*(ms|min|[smhdw])\s*/g)];
  const whole = parts.map((part) => part[0]).join("");
  if (parts.length === 0 || whole !== written) {
    throw new InvalidValue(
      `${shown(written)} is not a duration; write a number with a unit, such as 30s, 90m, 24h or 7d`,
    );
  }
  const seconds = parts.reduce((sum, part) => sum + Number(part[1]) * (secondsPer[part[2] ?? ""] ?? 0), 0);
  if (seconds > 100 * 365 * 86_400)
    throw new InvalidValue(`${shown(written)} is longer than a hundred years`);
  return seconds;
};

/** "50%" or "0.5" → 0.5. */
export const fraction: Parse<number> = (written) => {
  const match = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(written.trim());
  const parsed = match === null ? Number.NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  if (!(parsed >= 0 && parsed <= 1)) {
    throw new InvalidValue(`${shown(written)} is not a share; write a percentage from 0% to 100%`);
  }
  return parsed;
};

/** "3/10" → part 3 of 10. */
export const subset: Parse<{ part: number; of: number }> = (written) => {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(written);
  const part = Number(match?.[1]);
  const of = Number(match?.[2]);
  if (match === null || part < 1 || part > of) {
    throw new InvalidValue(
      `${shown(written)} is not a part of a whole; write n/m with n from 1 to m, such as 1/10`,
    );
  }
  return { part, of };
};

/**
 * A moment: "2026-11-24", "2026-11-24T14:00", with or without seconds and zone (UTC where none is given),
 * or how long ago, "7d". A bare date is its first millisecond, or with `end` its last.
 */
export function moment(edge: "start" | "end", nowMs: () => number = Date.now): Parse<number> {
  return (written) => {
    if (/^[\d.]+\s*(?:ms|min|[smhdw])/.test(written)) return nowMs() - durationSeconds(written) * 1000;
    const match =
      /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(
        written,
      );
    const date = match?.[1] ?? "";
    const time = match?.[2] ?? (edge === "end" ? "23:59:59.999" : "00:00");
    const parsed = Date.parse(`${date}T${time}${match?.[3] ?? "Z"}`);
    const real = new Date(Date.parse(`${date}T00:00Z`));
    if (
      match === null ||
      Number.isNaN(parsed) ||
      Number.isNaN(real.getTime()) ||
      !real.toISOString().startsWith(date)
    ) {
      throw new InvalidValue(
        `${shown(written)} is not a time; write 2026-11-24, 2026-11-24T14:00Z or how long ago, such as 7d`,
      );
    }
    return parsed;
  };
}

const schemeOf = (written: string): string | undefined =>
  /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(written)?.[1]?.toLowerCase();

const laterStores = new Set(["gs", "gcs", "az", "azblob", "azure", "azure-blob", "minio", "https", "http"]);
const laterDatabases = new Set(["mysql", "mariadb", "mongodb", "mongodb+srv"]);

/**
 * A bucket in its one spelling, `s3://bucket/prefix?endpoint=…`. The file of certificates may be given from the
 * current folder. Refuses credentials, and repeats none.
 */
export const bucketUrl: Parse<string> = (written) => {
  const scheme = schemeOf(written);
  if (scheme !== "s3") {
    if (scheme !== undefined && laterStores.has(scheme)) throw new InvalidValue(...noSuchStore(scheme));
    throw new InvalidValue(`${shown(written)} is no bucket; ${bucketForm}`);
  }
  const parsed = parseBucketUrl(written);
  if ("problem" in parsed) {
    throw new InvalidValue(
      parsed.problem.replace(/\.$/, ""),
      parsed.code === "request-invalid" ? "usage" : parsed.code,
    );
  }
  const { caFile } = parsed.place;
  return formatBucketUrl({ ...parsed.place, ...(caFile === undefined ? {} : { caFile: resolve(caFile) }) });
};

const bucketForm = "write s3://bucket/prefix?endpoint=https://host:port&region=…&profile=…";

const noSuchStore = (scheme: string): [string, "not-available"] => [
  scheme === "minio" || scheme === "http" || scheme === "https"
    ? `a bucket is named by s3:, and the server's address goes behind it; ${bucketForm}`
    : `this version knows folders and S3 buckets, no ${scheme}: store; write a path, or ${bucketForm.slice(6)}`,
  "not-available",
];

/** Where a repository is: a folder or a bucket. */
export const repositoryUrl: Parse<string> = (written) =>
  isBucketUrl(written) ? bucketUrl(written) : folderUrl(written);

/** A folder as `file:///…`: a path (relative ones from the current folder) or a file URL. */
export const folderUrl: Parse<string> = (written) => {
  const scheme = schemeOf(written);
  if (scheme === undefined || scheme.length === 1) return pathToFileURL(resolve(written)).href;
  if (scheme === "s3") throw new InvalidValue("is for folders; a bucket is given by --bucket s3://…");
  if (laterStores.has(scheme)) throw new InvalidValue(...noSuchStore(scheme));
  if (scheme !== "file")
    throw new InvalidValue(`${scheme}: is not a kind of folder; write a path or file:///…`);
  try {
    const path = fileURLToPath(written);
    if (isAbsolute(path)) return pathToFileURL(resolve(path)).href;
  } catch {
    // Falls through to the sentence below: a host in the URL, or a wrong escape.
  }
  throw new InvalidValue(`${shown(written)} is not a file URL of this machine; write file:///absolute/path`);
};

/**
 * `postgres://user@host:port/name?…`, never with a password. The message never repeats the URL: a password
 * in it would end up in a log.
 */
export const databaseUrl: Parse<string> = (written) => {
  const scheme = schemeOf(written);
  if (scheme !== undefined && laterDatabases.has(scheme)) {
    throw new InvalidValue(`this version backs up PostgreSQL only, no ${scheme}:`, "not-available");
  }
  if (scheme !== "postgres" && scheme !== "postgresql") {
    throw new InvalidValue("is not a database URL; write postgres://user@host:5432/name");
  }
  const rest = written.slice(written.indexOf(":") + 1);
  if (!rest.startsWith("//"))
    throw new InvalidValue("is not a database URL; write postgres://user@host:5432/name");
  const [place = "", query = ""] = splitOnce(rest.slice(2).split("#", 1)[0] ?? "", "?");
  const parameters = new URLSearchParams(query);
  if (carriesPassword(place, parameters)) {
    throw new InvalidValue(
      "the URL carries a password, which every user of this machine could read in the process list; " +
        "use PGPASSWORD, a .pgpass file or a service file",
      "password-on-command-line",
    );
  }
  const [hosts = "", name = ""] = splitOnce(place.slice(place.lastIndexOf("@") + 1), "/");
  if (/:(?!\d{1,5}(?:,|$))[^,\]]*$/.test(hosts)) {
    throw new InvalidValue("has a port that is not a number; write postgres://user@host:5432/name");
  }
  if (name === "" && !parameters.has("dbname") && !parameters.has("service")) {
    throw new InvalidValue("names no database; write postgres://user@host:5432/name");
  }
  return written;
};

/** Everything before the last @ is user and password, whatever signs an unescaped password holds. */
const carriesPassword = (place: string, parameters: URLSearchParams): boolean =>
  place.slice(0, Math.max(0, place.lastIndexOf("@"))).includes(":") ||
  parameters.has("password") ||
  parameters.has("sslpassword");

function splitOnce(whole: string, separator: string): [string, string?] {
  const index = whole.indexOf(separator);
  return index < 0 ? [whole] : [whole.slice(0, index), whole.slice(index + separator.length)];
}

/** A major version ("17") or a folder with client tools (made absolute). */
export const tools: Parse<string> = (written) => {
  if (/^\d+$/.test(written)) {
    const major = Number(written);
    if (major < 10 || major > 99)
      throw new InvalidValue(`${shown(written)} is not a PostgreSQL major, such as 17`);
    return written;
  }
  if (/^\d+\.\d+$/.test(written))
    throw new InvalidValue(`write the major alone, such as ${written.split(".")[0]}`);
  return resolve(written);
};

/** `table` or `schema.table`, where `*` and `?` are wild. */
export const tablePattern: Parse<string> = (written) => {
  if (written.startsWith(".") || written.endsWith(".") || written.includes("\n")) {
    throw new InvalidValue(
      `${shown(written)} is not a table pattern; write name or schema.name, with * and ? as wild cards`,
    );
  }
  return written;
};

/** `schema.name`. */
export const tableName: Parse<string> = (written) => {
  const dot = written.indexOf(".");
  if (dot < 1 || dot === written.length - 1) {
    throw new InvalidValue(`${shown(written)} is not a table; write schema.name, such as public.layout`);
  }
  return written;
};

/** A pattern or path inside the source, `/`-separated. */
export const sourcePath: Parse<string> = (written) => {
  if (written.split("/").includes("..")) {
    throw new InvalidValue(`${shown(written)} leads out of the source; write a path inside it, without ..`);
  }
  return written;
};

export const planHash: Parse<string> = (written) => {
  if (!/^[0-9a-f]{16}$/.test(written)) {
    throw new InvalidValue(
      `${shown(written)} is not a plan's hash: 16 digits 0-9a-f, as \`lc2 restore plan\` prints it`,
    );
  }
  return written;
};
