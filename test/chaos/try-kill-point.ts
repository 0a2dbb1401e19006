import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describePoint, killOrderVariable, type KillOrder, type KillPoint } from "./kill-points.ts";
import type { Lab } from "./lab.ts";
import type { Prepared, Scenario } from "./scenarios.ts";

const engineProgram = fileURLToPath(new URL("engine-program.ts", import.meta.url));

/** Whoever asked for an undo or a deletion asks again so often. */
const mostStarts = 5;
/** An engine that has not ended by then hangs. */
const engineMs = 120_000;

export interface Tried {
  /** Whether the point was reached at all: the number of a call may be another in another run. */
  readonly reached: boolean;
  /** Processes that were started until it had ended. */
  readonly starts: number;
  readonly outcome: string;
  /** Empty: recovered. */
  readonly problems: readonly string[];
  /** Points that were reached after the kill, in order: those of the recovery, and of what went on beside it. */
  readonly recovery: readonly KillPoint[];
}

/** The points of an undisturbed run, in order. Rejects when that is not as it should be. */
export async function listKillPoints(lab: Lab, scenario: Scenario): Promise<KillPoint[]> {
  const { journal, problems } = await carryOut(lab, scenario, `${scenario.name}-undisturbed`);
  if (problems.length > 0) throw new Error(`${scenario.name}, undisturbed: ${problems.join("; ")}`);
  return journal;
}

/**
 * Kills one process at one point, and where `killAgainAt` says so another one that recovers, starts again what was
 * killed, and looks at what came of it.
 */
export async function tryKillPoint(
  lab: Lab,
  scenario: Scenario,
  killAt: KillPoint,
  name: string,
  killAgainAt?: KillPoint,
): Promise<Tried> {
  const again = killAgainAt === undefined ? {} : { killAgainAt };
  const { journal, ...tried } = await carryOut(lab, scenario, name, { killAt, ...again });
  const at = journal.findIndex((point) => describePoint(point) === describePoint(killAt));
  return { ...tried, recovery: at < 0 ? [] : journal.slice(at + 1) };
}

async function carryOut(
  lab: Lab,
  scenario: Scenario,
  name: string,
  kills: Omit<KillOrder, "folder"> = {},
): Promise<Omit<Tried, "recovery"> & { readonly journal: KillPoint[] }> {
  const prepared = await scenario.prepare(lab, name);
  const { folder } = prepared.machine;
  const order: KillOrder = { folder: join(folder, "points"), ...kills };
  const last = order.killAgainAt === undefined ? "killed" : "killed-again";
  await mkdir(order.folder);
  try {
    const { starts, problems } = await startUntilDone(prepared, order);
    const reached = existsSync(join(order.folder, last));
    const checked = problems.length > 0 ? { outcome: "open", problems } : await prepared.check();
    return { reached, starts, ...checked, journal: readJournal(order) };
  } finally {
    await prepared.clear();
  }
}

async function startUntilDone(prepared: Prepared, order: KillOrder) {
  const said: string[] = [];
  for (let starts = 1; starts <= mostStarts; starts += 1) {
    const { code, signal, stderr } = await runEngine(prepared, order);
    if (code === 0) return { starts, problems: [] };
    said.push(`${signal ?? code ?? "?"}: ${stderr.trim().slice(-400)}`);
  }
  return { starts: mostStarts, problems: [`it did not end in ${mostStarts} starts: ${said.join(" | ")}`] };
}

async function runEngine({ machine, call }: Prepared, order: KillOrder) {
  const child = spawn(process.execPath, [engineProgram, JSON.stringify(call)], {
    env: { ...machine.env, [killOrderVariable]: JSON.stringify(order) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const timer = setTimeout(() => child.kill("SIGKILL"), engineMs);
  const ended = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  clearTimeout(timer);
  return { ...ended, stderr };
}

function readJournal({ folder }: KillOrder): KillPoint[] {
  const text = readFileSync(join(folder, "journal"), "utf8").trim();
  return text.split("\n").map((line) => JSON.parse(line) as KillPoint);
}
