/**
 * The one text form of a project's keys: the keyfile, what `lc2 key export` prints for paper, and what
 * `lc2 key import` reads. Specified in `docs/reference/backup-format.md`, "Keyfile text".
 */
import { createHmac } from "node:crypto";

import { Failure } from "../../core/failure.ts";
import { projectIdPattern } from "../../core/repository/layout.ts";
import { parseKeyLine, printKeyLines } from "./key-lines.ts";

interface KeptKey {
  /** First 16 hex digits of HMAC-SHA256(value, "lc2-key-id"). */
  readonly id: string;
  readonly createdAt: string;
  /** 32 bytes. */
  readonly value: Buffer;
}

export interface ProjectKey extends KeptKey {
  readonly state: "current" | "former";
}

export interface Keyfile {
  readonly projectId: string;
  /** Oldest first; one is current, unless there are none (a keyfile made by importing a recovery key). */
  readonly keys: readonly ProjectKey[];
  /** X25519 public key that new keyrings are wrapped for too. */
  readonly recoveryPublicKey?: KeptKey;
  /** Imported private halves; `id` is that of the public half. */
  readonly recoveryPrivateKeys: readonly KeptKey[];
}

export type RecoveryKey = KeptKey;

/** The id of a key, derived from its value (of a recovery key: from its public half). */
export function keyId(value: Uint8Array): string {
  return createHmac("sha256", value).update("lc2-key-id").digest("hex").slice(0, 16);
}

const projectHeader = "lc2-project-key";
const recoveryHeader = "lc2-recovery-key";
const textVersion = 1;

export function printKeyfile(keyfile: Keyfile): string {
  const lines = [
    `# The keys of project ${keyfile.projectId} of LC2 Backup and Restore Service.`,
    "#",
    "# Whoever has this text can read every backup of the project. If it is lost, nobody can read any.",
    "# Keep a copy apart from the backups and from this machine: on paper, or in a password safe.",
    "# On a new machine: lc2 key import FILE. Lines that begin with # may be left out; the last",
    "# characters of each numbered line are a check, so a typing error is found and its line named.",
    "",
    `${projectHeader} ${textVersion}`,
    `project: ${keyfile.projectId}`,
  ];
  for (const key of keyfile.keys) lines.push("", ...printBlock("key", key, key.state));
  const recovery = keyfile.recoveryPublicKey;
  if (recovery !== undefined) lines.push("", ...printBlock("recovery-public-key", recovery));
  for (const key of keyfile.recoveryPrivateKeys) lines.push("", ...printBlock("recovery-private-key", key));
  return [...lines, "", "end", ""].join("\n");
}

/** The private half of a recovery key, for paper. */
export function printRecoveryKey(projectId: string, key: RecoveryKey): string {
  return [
    `# The recovery key of project ${projectId} of LC2 Backup and Restore Service.`,
    "#",
    "# It opens the project's backups when the project's own key is lost. lc2 does not keep it: this text",
    "# is the only copy. Print it, lock it away, and delete this file.",
    "# To use it: lc2 key import FILE. The last characters of each numbered line are a check.",
    "",
    `${recoveryHeader} ${textVersion}`,
    `project: ${projectId}`,
    "",
    ...printBlock("recovery-private-key", key),
    "",
    "end",
    "",
  ].join("\n");
}

function printBlock(kind: string, key: KeptKey, state?: string): string[] {
  const stateLine = state === undefined ? [] : [`state: ${state}`];
  return [`${kind}: ${key.id}`, `created: ${key.createdAt}`, ...stateLine, ...printKeyLines(key.value)];
}

/**
 * Reads a keyfile or a recovery key; `where` names it in failures. Rejects with `keyfile-invalid`, naming
 * the line, and with `format-too-new`.
 */
export function parseKeyText(text: string, where: string, publicHalf: (value: Buffer) => Buffer): Keyfile {
  return new KeyTextParser(where, publicHalf).parse(text);
}

const blockKinds = ["key", "recovery-public-key", "recovery-private-key"] as const;
type BlockKind = (typeof blockKinds)[number];

interface Block {
  readonly kind: BlockKind;
  readonly id: string;
  readonly line: number;
  createdAt?: string;
  state?: string;
  readonly rows: Buffer[];
}

class KeyTextParser {
  readonly #where: string;
  readonly #publicHalf: (value: Buffer) => Buffer;
  #line = 0;
  #begun = false;
  #ended = false;
  #projectId: string | undefined;
  readonly #blocks: Block[] = [];

  constructor(where: string, publicHalf: (value: Buffer) => Buffer) {
    this.#where = where;
    this.#publicHalf = publicHalf;
  }

  parse(text: string): Keyfile {
    for (const raw of text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)) {
      this.#line += 1;
      const line = raw.trim();
      if (line !== "" && !line.startsWith("#")) this.#readLine(line);
    }
    if (!this.#begun)
      throw this.#invalid(`has no line "${projectHeader} ${textVersion}": it is not a keyfile`);
    if (!this.#ended) throw this.#invalid('has no line "end": the rest of it is missing');
    if (this.#projectId === undefined) throw this.#invalid('has no line "project: …"');
    return this.#assemble(this.#projectId);
  }

  #readLine(line: string): void {
    if (!this.#begun) this.#readHeader(line);
    else if (this.#ended) throw this.#invalid(`has more after its end, in line ${this.#line}`);
    else if (line === "end") this.#ended = true;
    else this.#readMember(line);
  }

  #readHeader(line: string): void {
    const [name, version] = line.split(/\s+/);
    if (name !== projectHeader && name !== recoveryHeader) {
      throw this.#invalid(
        `begins with something else than "${projectHeader} ${textVersion}" in line ${this.#line}`,
      );
    }
    if (Number(version) > textVersion) {
      throw new Failure(
        "format-too-new",
        `${this.#where} has version ${Number(version)} of the keyfile text; this version of lc2 knows ${textVersion}.`,
      );
    }
    if (version !== String(textVersion)) throw this.#invalid(`states no version in line ${this.#line}`);
    this.#begun = true;
  }

  #readMember(line: string): void {
    const [, name, value] = /^([a-z1-4-]+):\s*(.*)$/.exec(line) ?? [];
    const block = this.#blocks.at(-1);
    if (name === undefined || value === undefined) throw this.#unknownLine();
    if (name === "project" && block === undefined) this.#projectId = this.#readProject(value);
    else if (isBlockKind(name)) this.#blocks.push({ kind: name, id: value, line: this.#line, rows: [] });
    else if (block === undefined) throw this.#unknownLine();
    else if (name === "created") block.createdAt = value;
    else if (name === "state" && block.kind === "key") block.state = value;
    else if (/^[1-4]$/.test(name)) this.#readRow(block, Number(name), value);
    else throw this.#unknownLine();
  }

  #readProject(value: string): string {
    if (projectIdPattern.test(value)) return value;
    throw this.#invalid(`names no valid project in line ${this.#line}`);
  }

  #readRow(block: Block, number: number, text: string): void {
    const place = `line ${this.#line} (line ${number} of ${block.kind} ${block.id})`;
    if (number !== block.rows.length + 1)
      throw this.#invalid(`has ${place} where line ${block.rows.length + 1} belongs`);
    const row = parseKeyLine(number, text);
    if (typeof row === "string")
      throw this.#invalid(`is wrong: ${place} ${row}. Compare it with the original`);
    block.rows.push(row);
  }

  #assemble(projectId: string): Keyfile {
    const kept = this.#blocks.map((block) => ({ block, key: this.#readKey(block) }));
    const keys = kept
      .filter(({ block }) => block.kind === "key")
      .map(({ block, key }): ProjectKey => ({ ...key, state: this.#readState(block) }));
    const publicKeys = kept.filter(({ block }) => block.kind === "recovery-public-key").map(({ key }) => key);
    const privateKeys = kept
      .filter(({ block }) => block.kind === "recovery-private-key")
      .map(({ key }) => key);
    const current = keys.filter((key) => key.state === "current").length;
    if (keys.length > 0 && current !== 1) throw this.#invalid(`has ${current} current keys instead of one`);
    if (publicKeys.length > 1) throw this.#invalid("has more than one recovery public key");
    const twice = this.#blocks.find((a, i) =>
      this.#blocks.slice(0, i).some((b) => b.kind === a.kind && b.id === a.id),
    );
    if (twice !== undefined)
      throw this.#invalid(`has the ${twice.kind} ${twice.id} twice, in line ${twice.line} again`);
    const [recoveryPublicKey] = publicKeys;
    const recovery = recoveryPublicKey === undefined ? {} : { recoveryPublicKey };
    return { projectId, keys, ...recovery, recoveryPrivateKeys: privateKeys };
  }

  #readKey(block: Block): KeptKey {
    const name = `the ${block.kind} ${block.id} in line ${block.line}`;
    if (block.rows.length !== 4)
      throw this.#invalid(`has only ${block.rows.length} of the 4 lines of ${name}`);
    const value = Buffer.concat(block.rows);
    const identifying = block.kind === "recovery-private-key" ? this.#publicHalf(value) : value;
    if (keyId(identifying) !== block.id) {
      throw this.#invalid(`has another value under the name of ${name}: its id belongs to a different key`);
    }
    if (block.createdAt === undefined || Number.isNaN(Date.parse(block.createdAt))) {
      throw this.#invalid(`has no valid "created: …" for ${name}`);
    }
    return { id: block.id, createdAt: block.createdAt, value };
  }

  #readState(block: Block): "current" | "former" {
    if (block.state === "current" || block.state === "former") return block.state;
    throw this.#invalid(
      `has no "state: current" or "state: former" for the key ${block.id} in line ${block.line}`,
    );
  }

  #unknownLine(): Failure {
    return this.#invalid(`has something in line ${this.#line} that does not belong there`);
  }

  #invalid(problem: string): Failure {
    return new Failure("keyfile-invalid", `${this.#where} ${problem}.`);
  }
}

function isBlockKind(name: string): name is BlockKind {
  return (blockKinds as readonly string[]).includes(name);
}
