import { encodeKey, type FileKey } from "../repository/manifest.ts";

/**
 * Which objects of a source belong to a backup.
 *
 * The language of a pattern:
 * - `*` is any run of characters of one name, `**` any run of characters and slashes, `?` one character;
 *   `\` before a character takes it literally. Everything else is itself; case counts.
 * - A name that is only `*` must have at least one character.
 * - A pattern that matches a folder matches everything below it. A slash at its end says that it means
 *   folders only.
 * - `/` at the beginning ties a pattern to the source's root; without it, it matches at any depth:
 *   `*.tmp` is every such file, `cache/` every folder of this name. A `*` as the first of several names
 *   may also stand for no folder at all: `* /thumbnails/*` (without the blank) is the content of every
 *   folder named thumbnails, at the root too.
 *
 * `excludePaths` and `includePaths` are paths from the source's root in the same language, with or without
 * the leading slash. Where there are includePaths, only they (and the folders above them) belong to the
 * backup. Exclusion wins over inclusion.
 */
export interface FileFilterSpec {
  readonly excludePatterns: readonly string[];
  readonly excludePaths: readonly string[];
  readonly includePaths: readonly string[];
}

/** What a walk does with a folder. */
export type FolderDecision =
  /** It belongs to the backup; look into it. */
  | "enter"
  /** It belongs to the backup, nothing in it does. */
  | "keep-empty"
  /** Neither it nor anything in it does. */
  | "leave-out";

export interface FileFilter {
  /** Whether the object belongs to the backup; the folders above it are taken into account. */
  includes(key: FileKey): boolean;
  /** For a folder's key (it ends with a slash), so that a walk can leave out whole trees. */
  folder(key: FileKey): FolderDecision;
  /** What it was compiled of. */
  readonly spec: FileFilterSpec;
  /** Every key that it includes begins so: a bucket is listed from there only. */
  readonly prefix?: FileKey;
}

/** The same filter, for what begins with `prefix`. */
export function narrowFilter(filter: FileFilter, prefix: FileKey): FileFilter {
  if (prefix === "") return filter;
  return {
    spec: filter.spec,
    includes: (key) => key.startsWith(prefix) && filter.includes(key),
    folder: (key) => (key.startsWith(prefix) || prefix.startsWith(key) ? filter.folder(key) : "leave-out"),
    prefix,
  };
}

/** Everything belongs to it. */
export const wholeSource: FileFilterSpec = { excludePatterns: [], excludePaths: [], includePaths: [] };

/** Compiles once; the result costs about a microsecond per key. */
export function compileFilter(spec: FileFilterSpec): FileFilter {
  const excludes = [...spec.excludePatterns.map(parsePattern), ...spec.excludePaths.map(parsePath)];
  const includes = spec.includePaths.map(parsePath);
  const excluded = matcher(excludes.map(expression));
  const contentExcluded = matcher(excludes.flatMap(contentExpression));
  const included = includes.length === 0 ? always : matcher(includes.map(expression));
  const aboveIncluded = includes.length === 0 ? never : matcher(includes.map(aboveExpression));
  return {
    spec,
    includes: (key) => !excluded(key) && (included(key) || (key.endsWith("/") && aboveIncluded(key))),
    folder: (key) => {
      if (excluded(key)) return "leave-out";
      if (!included(key) && !aboveIncluded(key)) return "leave-out";
      return contentExcluded(key) ? "keep-empty" : "enter";
    },
  };
}

/** Whether a key, or a folder above it, matches one of the patterns; for `--include` and `browse`. */
export function compilePatterns(patterns: readonly string[]): (key: FileKey) => boolean {
  return matcher(patterns.map((pattern) => expression(parsePattern(pattern))));
}

/**
 * A text for each pattern that every key which matches it contains, printable ASCII without quotes and backslashes:
 * it stands so in whatever the key is written in. Undefined where a pattern has none: nothing can be said then.
 */
export function textsInMatches(patterns: readonly string[]): readonly string[] | undefined {
  const texts = patterns.map((pattern) => longestText(parsePattern(pattern)));
  return texts.includes("") ? undefined : texts;
}

/** The same for one key and no other. */
export const textsInKey = (key: FileKey): readonly string[] | undefined =>
  notPlain.test(key) ? undefined : [key];

const notPlain = /[^\x20\x21\x23-\x5b\x5d-\x7e]+/;

function longestText({ names }: Pattern): string {
  const texts: string[] = [];
  let text = "";
  for (const name of names) {
    // Between two names there always is a slash, whatever they stand for.
    if (text !== "") text += "/";
    const [first = "", ...others] = name.includes("\\") ? ["", ""] : name.split(/[*?]+/);
    text += first;
    for (const other of others) {
      texts.push(text);
      text = other;
    }
  }
  return [...texts, text]
    .flatMap((one) => one.split(notPlain))
    .reduce((a, b) => (b.length > a.length ? b : a));
}

interface Pattern {
  readonly anchored: boolean;
  readonly folderOnly: boolean;
  /** Names between slashes, as written. */
  readonly names: readonly string[];
}

const always = (): boolean => true;
const never = (): boolean => false;

function parsePattern(text: string): Pattern {
  const binary = encodeKey(text);
  const names = binary.split("/").filter((name) => name !== "" && name !== ".");
  return { anchored: binary.startsWith("/"), folderOnly: binary.endsWith("/"), names };
}

const parsePath = (text: string): Pattern => ({ ...parsePattern(text), anchored: true });

/** Regular expressions work on binary strings: `[^]` is a byte, and one UTF-8 character is this. */
const oneCharacter = "(?:[\\x00-\\x2e\\x30-\\x7f]|[\\xc0-\\xff][\\x80-\\xbf]*|[\\x80-\\xbf])";

/** What matches the object itself or anything below it. */
function expression(pattern: Pattern): string {
  if (pattern.names.length === 0) return pattern.anchored ? "[^]*" : "(?!)";
  const body = start(pattern) + joinNames(firstNames(pattern));
  return pattern.folderOnly ? `${body}/[^]*` : `${body}(?:/[^]*)?`;
}

/** For patterns that end with a name of only stars: the folders whose whole content matches. */
function contentExpression(pattern: Pattern): string[] {
  const names = firstNames(pattern);
  const last = names.at(-1);
  if (names.length < 2 || pattern.folderOnly || (last !== "*" && last !== "**")) return [];
  return [`${start(pattern)}${joinNames(names.slice(0, -1))}/`];
}

/** Folders that may have something included below them. */
function aboveExpression(pattern: Pattern): string {
  const open: string[] = [];
  for (const name of pattern.names) {
    if (name.includes("**")) return nest([...open, "[^]*"]);
    open.push(nameExpression(name));
  }
  return nest(open.slice(0, -1));
}

/** `a/`, `a/b/`, … for the names a, b, …: each only where the one before matched. */
function nest(names: readonly string[]): string {
  return names.reduceRight((inner, name) => `${name}/(?:${inner})?`, "") || "(?!)";
}

const start = (pattern: Pattern): string => (pattern.anchored ? "" : "(?:[^]*/)?");

/** Without a leading star that an unanchored pattern does not need. */
function firstNames(pattern: Pattern): readonly string[] {
  const [first, ...rest] = pattern.names;
  const needless = !pattern.anchored && rest.length > 0 && (first === "*" || first === "**");
  return needless ? rest : pattern.names;
}

function joinNames(names: readonly string[]): string {
  let joined = "";
  names.forEach((name, index) => {
    const isLast = index === names.length - 1;
    // A `**` between slashes stands for any number of folders, none included.
    if (name === "**" && !isLast) joined += "(?:[^]*/)?";
    else joined += (name === "**" ? "[^]+" : nameExpression(name)) + (isLast ? "" : "/");
  });
  return joined;
}

function nameExpression(name: string): string {
  if (name === "*") return "[^/]+";
  let out = "";
  for (let i = 0; i < name.length; i++) {
    const character = name[i] as string;
    if (character === "\\" && i + 1 < name.length) out += literal(name[++i] as string);
    else if (character === "?") out += oneCharacter;
    else if (character !== "*") out += literal(character);
    else if (name[i + 1] !== "*") out += "[^/]*";
    else {
      out += "[^]*";
      while (name[i + 1] === "*") i += 1;
    }
  }
  return out;
}

const literal = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/-]/, "\\$&");

function matcher(expressions: readonly string[]): (key: FileKey) => boolean {
  if (expressions.length === 0) return never;
  const compiled = new RegExp(`^(?:${expressions.join("|")})$`);
  return (key) => compiled.test(key);
}
