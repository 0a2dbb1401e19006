import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { Processes } from "../core/ports/processes.ts";

/**
 * A process, told apart from any other that ever had its number: number, start time (clock ticks since
 * boot), boot, and the namespace the number is valid in. As text in leases and task rows.
 */
interface ProcessIdentity {
  readonly pid: number;
  /** Absent where the system does not tell. */
  readonly startTicks?: string;
  readonly boot: string;
  /** Machine, host and process namespace: a container sees other numbers than its host. */
  readonly space: string;
  /** Tells several owners in one process apart. */
  readonly nonce?: string;
  /** Where a worker that was handed over waits for the next holder of its lease. */
  readonly adoptAt?: string;
}

/** The processes of this machine, as far as this one can see them. */
export function createProcesses(): Processes {
  return {
    identifyThisProcess: (nonce) =>
      JSON.stringify({ ...identify(process.pid), nonce } satisfies ProcessIdentity),
    observe: observeProcess,
    killWorker,
  };
}

/** Identity of a child just started. */
export const identifyProcess = (pid: number): string => JSON.stringify(identify(pid));

export function observeProcess(identity: string): "alive" | "dead" | "unknown" {
  const seen = parseIdentity(identity);
  if (seen === undefined) return "unknown";
  const here = identify(process.pid);
  if (seen.space !== here.space) return "unknown";
  if (seen.boot !== here.boot) return "dead";
  const now = readStat(seen.pid);
  if (now === undefined) return existsByNumber(seen.pid) ? "unknown" : "dead";
  // A zombie waits for its parent only; it does nothing any more.
  if (now.state === "Z" || now.state === "X") return "dead";
  return seen.startTicks === undefined || now.startTicks === seen.startTicks ? "alive" : "dead";
}

/**
 * Kills a worker of a dead owner, with everything it started: workers lead their own process group.
 * Does nothing when the process is not certainly the one named.
 */
function killWorker(identity: string): void {
  const seen = parseIdentity(identity);
  if (seen === undefined || observeProcess(identity) !== "alive") return;
  killGroup(seen.pid);
}

/** SIGKILL for a whole process group; nothing happens when it is empty. */
export function killGroup(leaderPid: number): void {
  try {
    process.kill(-leaderPid, "SIGKILL");
  } catch {
    // Nobody left in it.
  }
}

function identify(pid: number): ProcessIdentity {
  const stat = readStat(pid);
  return {
    pid,
    ...(stat === undefined ? {} : { startTicks: stat.startTicks }),
    boot: readOr("/proc/sys/kernel/random/boot_id", "unknown"),
    space: `${hostname()} ${readMachine()} ${readNamespace()}`,
  };
}

export function parseIdentity(text: string): ProcessIdentity | undefined {
  try {
    const value = JSON.parse(text) as ProcessIdentity;
    return typeof value.pid === "number" && typeof value.space === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Fields 3 and 22 of `/proc/[pid]/stat`, counted after the name, which may hold anything. */
function readStat(pid: number): { state: string; startTicks: string } | undefined {
  const text = readOr(`/proc/${pid}/stat`, "");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
}

/** Where there is no /proc: whether any process has the number. */
function existsByNumber(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return otherwise;
  }
}

/**
 * Many machines are called `localhost`, and with a shared catalog one of them must not take another's process
 * for its own of before a restart. Hashed, because the number itself should not leave the machine.
 */
function readMachine(): string {
  return createHash("sha256")
    .update(`lc2 ${readOr("/etc/machine-id", "")}`)
    .digest("hex")
    .slice(0, 16);
}

function readNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}
