import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSqliteCatalog } from "../../src/catalog/open-sqlite-catalog.ts";
import type { BackupSpec, RestoreSpec } from "../../src/contract/operations.ts";
import type { Lc2Service, LogLine, ServiceEvent, Waiting } from "../../src/contract/service.ts";
import type { TaskKind } from "../../src/contract/worker-task.ts";
import type { FailureRecord } from "../../src/core/failure.ts";
import { readConfig } from "../../src/main/config.ts";
import { openService } from "../../src/main/service.ts";
import { until } from "./until.ts";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
export const fakeWorkerCommand: readonly [string, ...string[]] = [process.execPath, here("fake-worker.ts")];

export type ServiceCall =
  | { readonly verb: "create-backup"; readonly spec: BackupSpec; readonly repository: string }
  | { readonly verb: "create-restore"; readonly spec: RestoreSpec }
  | { readonly verb: "undo-restore"; readonly restoreId: string }
  | { readonly verb: "list-backups" };
export interface EngineCall {
  readonly dataDirectory: string;
  readonly leaseSeconds: number;
  readonly call: ServiceCall;
}

export type EngineLine =
  | ServiceEvent
  | { readonly type: "notice"; readonly line: LogLine }
  | { readonly type: "result"; readonly result: unknown }
  | { readonly type: "failure"; readonly failure: FailureRecord };

/** A process of `engine-process.ts` and what it has said. */
export interface EngineProcess {
  readonly child: ChildProcess;
  readonly lines: readonly EngineLine[];
  readonly ended: Promise<void>;
  /** The id of the operation it runs. */
  accepted(): Promise<string>;
}

/** A data directory, and fake workers that tests hold, break and look at through a control folder. */
export class FakeEngine {
  readonly folder = mkdtempSync(join(tmpdir(), "lc2-engine-test-"));
  readonly dataDirectory = join(this.folder, "data");
  readonly notices: LogLine[] = [];
  readonly #services: Lc2Service[] = [];
  readonly #processes: EngineProcess[] = [];
  readonly leaseSeconds: number;

  constructor(leaseSeconds = 30) {
    this.leaseSeconds = leaseSeconds;
    mkdirSync(this.#control);
  }

  get #control(): string {
    return join(this.folder, "control");
  }

  /** A service in this process. */
  open(more: Readonly<Record<string, string>> = {}): Lc2Service {
    const env = { ...process.env, LC2_TEST_CONTROL: this.#control, ...more };
    const config = {
      ...readConfig({ dataDirectory: this.dataDirectory }, env),
      leaseSeconds: this.leaseSeconds,
    };
    const onNotice = (line: LogLine): void => void this.notices.push(line);
    const openCatalog = () => openSqliteCatalog(join(this.dataDirectory, "catalog.db"));
    const service = openService(config, openCatalog, { workerCommand: fakeWorkerCommand, onNotice });
    this.#services.push(service);
    return service;
  }

  /** The same in a process of its own. */
  start(call: ServiceCall): EngineProcess {
    const { dataDirectory, leaseSeconds } = this;
    const argument = JSON.stringify({ dataDirectory, leaseSeconds, call } satisfies EngineCall);
    const child = spawn(process.execPath, [here("engine-process.ts"), argument], {
      env: { ...process.env, LC2_TEST_CONTROL: this.#control },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines: EngineLine[] = [];
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) lines.push(JSON.parse(part) as EngineLine);
    });
    const ended = new Promise<void>((resolve) => void child.once("close", () => resolve()));
    const accepted = async (): Promise<string> => {
      await until("an operation is accepted", () => lines.some(({ type }) => type === "accepted"));
      const line = lines.find((one) => one.type === "accepted");
      return line?.type === "accepted" ? line.id : "";
    };
    const started = { child, lines, ended, accepted };
    this.#processes.push(started);
    return started;
  }

  /** `hold-KIND`, `hold-after-KIND`, `deaf-KIND`, `fail-KIND`, …: see `fake-worker.ts`. */
  set(name: string, content = ""): void {
    writeFileSync(join(this.#control, name), content);
  }
  clear(name: string): void {
    rmSync(join(this.#control, name), { force: true });
  }

  /** `kind id attempt`, in order. */
  effects(): string[] {
    const file = join(this.#control, "effects.log");
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  }

  /** Waits until a worker of this kind runs; its process. */
  async workerOf(kind: TaskKind): Promise<number> {
    const file = join(this.#control, "pids", kind);
    await until(`a worker of ${kind} runs`, () => existsSync(file) && readFileSync(file, "utf8") !== "");
    return Number(readFileSync(file, "utf8"));
  }

  async close(): Promise<void> {
    for (const { child } of this.#processes) child.kill("SIGKILL");
    for (const service of this.#services) await service.close();
    for (const kind of [
      "prepare-backup",
      "backup-database",
      "backup-files",
      "seal-backup",
      "restore-database",
    ]) {
      const file = join(this.#control, "pids", kind);
      if (existsSync(file)) killGroup(Number(readFileSync(file, "utf8")));
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

/** Whether a process is there and no zombie. */
export function runs(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

/** A caller that waits and remembers what it was told. */
export function waitHere(): { waiting: Waiting; events: ServiceEvent[]; abort: () => void } {
  const controller = new AbortController();
  const events: ServiceEvent[] = [];
  const waiting = { signal: controller.signal, onEvent: (event: ServiceEvent) => void events.push(event) };
  return { waiting, events, abort: () => controller.abort() };
}

const storage = {
  url: "file:///srv/files",
  excludeGeneratedFiles: false,
  excludePatterns: [],
  excludePaths: [],
  includePaths: [],
  maxShrink: 1,
};
export const backupSpec: BackupSpec = {
  projectId: "shop",
  application: "liferay",
  provider: "local",
  database: { url: "postgres://app@db/shop", excludeTables: [] },
  storage,
};
export const restoreSpec = (backupId: string): RestoreSpec => ({
  projectId: "shop",
  backupId,
  restoreType: "full",
  database: { url: "postgres://app@db/shop" },
  storage: { url: "file:///srv/files", mode: "merge" },
  include: [],
  tables: [],
});
