/**
 * `lc2 demo`: the main job on real parts. A throw-away PostgreSQL and a folder are filled like a CMS's,
 * backed up, damaged, restored and compared, and the restore is undone, all through the command line that a
 * person would type. Nothing is faked: the same fingerprints that the tests trust decide what is equal.
 */
import { availableParallelism } from "node:os";
import { Failure } from "../src/core/failure.ts";
import { createDataset, type DatasetSize } from "./dataset.ts";
import { staleView } from "./dataset-rows.ts";
import { damageDatabase, damageFolder } from "./damage.ts";
import { createWorkspace, type DemoWorkspace } from "./demo-workspace.ts";
import {
  diffFingerprints,
  fingerprintDatabase,
  fingerprintFolder,
  type Difference,
  type Fingerprint,
} from "./fingerprint.ts";
import { keepRunning } from "./keep-demo.ts";
import { startLc2, type Lc2 } from "./lc2-program.ts";
import { ensurePostgresServers, startPostgres, type RunningPostgres } from "./postgres-servers.ts";
import type { PostgresInstallation } from "./postgres-servers.ts";
import { createTranscript, showBytes, showCount, showSeconds, type Transcript } from "./transcript.ts";

export interface DemoOptions {
  /** Leave server, data and backup up, and say how to use and how to end them. */
  readonly keep: boolean;
  /** Default: `demo`, a few hundred MB. */
  readonly size?: DatasetSize;
}

/**
 * Runs the demo and resolves with its exit code: 0 when everything was proved equal, 1 when not, 128 + n
 * after a signal. Whatever happens, nothing is left behind, unless `keep` is set and all went well.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const out = process.stdout;
  const colour = out.isTTY && (process.env["NO_COLOR"] ?? "") === "";
  const transcript = createTranscript(out, colour);
  const stop = new AbortController();
  let code = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) return; // already on the way out
    code = 128 + (signal === "SIGINT" ? 2 : signal === "SIGHUP" ? 1 : 15);
    transcript.blank();
    transcript.note("Stopping, and cleaning up …");
    stop.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  out.on("error", () => stop.abort()); // `lc2 demo | head`

  const demo = new Demo(transcript, stop.signal, { size: "demo", ...options });
  try {
    await demo.run();
    if (demo.failed) code = 1;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    await demo.cleanUp();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, onSignal);
  }
  return stop.signal.aborted && code === 0 ? 1 : code;
}

/** Names of the made-up installation. */
const names = { database: "lportal", owner: "liferay", backup: "lc2_backup", project: "demo" };

class Demo {
  failed = false;
  private readonly transcript: Transcript;
  private readonly signal: AbortSignal;
  private readonly options: DemoOptions & { readonly size: DatasetSize };
  private workspace: DemoWorkspace | undefined;
  private server: RunningPostgres | undefined;
  private lc2: Lc2 | undefined;
  private kept = false;

  constructor(
    transcript: Transcript,
    signal: AbortSignal,
    options: DemoOptions & { readonly size: DatasetSize },
  ) {
    this.transcript = transcript;
    this.signal = signal;
    this.options = options;
    // What runs in this process waits for the server; without it, it ends at once.
    signal.addEventListener("abort", () => void this.server?.stop("immediate").catch(() => undefined));
  }

  async run(): Promise<void> {
    const startedAt = performance.now();
    const { transcript } = this;
    transcript.title("LC2: back up, destroy, restore, prove, undo");
    transcript.note("Real PostgreSQL, real files, the real command line; Ctrl-C leaves nothing behind.");

    const workspace = (this.workspace = await createWorkspace());
    const server = await this.startServer(workspace);
    const owner = server.urlOf(names.database, names.owner);
    const reader = server.urlOf(names.database, names.backup);
    const repository = workspace.repository;
    const lc2 = (this.lc2 = await startLc2({
      workspace,
      server,
      roles: this.passwords,
      signal: this.signal,
      transcript,
    }));

    await this.fill(server, workspace);
    const original = await this.takeFingerprint(
      server,
      workspace,
      "Every row, definition and file is fingerprinted.",
    );

    transcript.step("Take a full backup, as a role that may only read");
    const project = ["--project", names.project];
    const files = ["--files", workspace.files];
    const backup = ["--application", "liferay", "--repository", repository];
    await lc2.run("backup", "create", ...project, "--database", reader, ...files, ...backup);
    const backupId = await lc2.newestBackup(names.project);

    const damaged = await this.destroy(server, workspace);

    transcript.step("Plan the restore: what will happen, before anything does");
    const target = ["--from", backupId, "--database", owner, ...files, "--mode", "mirror"];
    await lc2.run("restore", "plan", ...target);
    const hash = await lc2.planHash(...target);

    transcript.step("Restore, as the ordinary role that owns the database");
    await lc2.run("restore", "create", ...target, "--approve", hash);
    const restoreId = await lc2.newestRestore(names.project);
    transcript.step("Prove that everything is back");
    this.compare(
      original,
      await this.readFingerprint(server, workspace),
      "as before the damage",
      knownAfterRestore,
    );

    transcript.step("Undo the restore: the damaged state comes back, nothing is lost");
    await lc2.run("restore", "undo", restoreId, "--yes");
    this.compare(
      damaged,
      await this.readFingerprint(server, workspace),
      "as it was just before the restore",
      [],
    );

    transcript.step(
      this.failed ? "Something is not equal" : `Done in ${showSeconds(performance.now() - startedAt)}`,
    );
    if (this.options.keep && !this.failed) await this.keepUp(server, workspace, lc2, backupId);
    else this.whatNext();
  }

  private readonly passwords = new Map([names.owner, names.backup].map((role) => [role, randomWord()]));

  private async startServer(workspace: DemoWorkspace): Promise<RunningPostgres> {
    const { transcript } = this;
    transcript.step("Start a throw-away PostgreSQL");
    const startedAt = performance.now();
    const installation = await findInstallation(this.signal, (line) => transcript.note(line));
    const server = (this.server = await startPostgres(installation, serverOptions(workspace)));
    this.signal.throwIfAborted();
    const [ownerPassword, backupPassword] = [...this.passwords.values()];
    await server.psql(`
      CREATE ROLE ${names.owner} LOGIN CREATEDB PASSWORD '${ownerPassword}';
      CREATE DATABASE ${names.database} OWNER ${names.owner};
      CREATE ROLE ${names.backup} LOGIN BYPASSRLS PASSWORD '${backupPassword}';
      ALTER ROLE ${names.backup} SET default_transaction_read_only = on;
      GRANT ${names.owner} TO ${names.backup};
    `);
    transcript.fact("server", `PostgreSQL ${installation.version} on 127.0.0.1:${server.port}`);
    transcript.fact("roles", `${names.owner} owns the database, ${names.backup} may only read it`);
    transcript.fact("time", showSeconds(performance.now() - startedAt));
    return server;
  }

  private async fill(server: RunningPostgres, workspace: DemoWorkspace): Promise<void> {
    const { transcript } = this;
    transcript.step("Fill a database and a folder like a CMS's");
    const startedAt = performance.now();
    const summary = await createDataset(server, names.database, workspace.files, {
      size: this.options.size,
      owner: { name: names.owner, password: this.passwords.get(names.owner) ?? "" },
    });
    this.signal.throwIfAborted();
    const { files = { files: 0, bytes: 0 } } = summary;
    transcript.fact(
      "database",
      `${names.database}, ${showBytes(summary.databaseBytes)} in ${summary.tables} tables of 5 schemas`,
    );
    transcript.fact(
      "files",
      `${showCount(files.files)} files, ${showBytes(files.bytes)}, names of every kind`,
    );
    transcript.fact("time", showSeconds(performance.now() - startedAt));
  }

  private async takeFingerprint(
    server: RunningPostgres,
    workspace: DemoWorkspace,
    says: string,
  ): Promise<State> {
    const startedAt = performance.now();
    const state = await this.readFingerprint(server, workspace);
    this.transcript.note(`${says} (${showSeconds(performance.now() - startedAt)})`);
    return state;
  }

  private async readFingerprint(server: RunningPostgres, workspace: DemoWorkspace): Promise<State> {
    const [database, files] = await Promise.all([
      fingerprintDatabase(server, names.database, { connections: Math.min(4, availableParallelism()) }),
      fingerprintFolder(workspace.files),
    ]);
    this.signal.throwIfAborted();
    return { database, files };
  }

  private async destroy(server: RunningPostgres, workspace: DemoWorkspace): Promise<State> {
    const { transcript } = this;
    transcript.step("Destroy: what a bad day does");
    const password = this.passwords.get(names.owner) ?? "";
    for (const line of await damageDatabase(server.urlOf(names.database, names.owner), password))
      transcript.bad(line);
    for (const line of damageFolder(workspace.files)) transcript.bad(line);
    return this.takeFingerprint(
      server,
      workspace,
      "This state is fingerprinted too, to prove the undo later.",
    );
  }

  /** Says what is equal and what is not; `known` differences are explained, others are failures. */
  private compare(before: State, after: State, how: string, known: readonly KnownDifference[]): void {
    for (const part of ["database", "files"] as const) {
      const differences = diffFingerprints(before[part], after[part]);
      const explained = differences.filter(({ what }) => known.some((one) => one.what === what));
      const wrong = differences.filter((one) => !explained.includes(one));
      if (wrong.length === 0) this.transcript.good(`${describe(part, before[part])}: ${how}`);
      for (const { what } of explained) {
        this.transcript.note(`  but ${what}: ${known.find((one) => one.what === what)?.why ?? ""}`);
      }
      this.reportWrong(part, wrong);
    }
  }

  private reportWrong(part: string, wrong: readonly Difference[]): void {
    if (wrong.length === 0) return;
    this.failed = true;
    this.transcript.bad(`${part}: ${wrong.length} differences`);
    for (const { what, before, after } of wrong.slice(0, 12)) {
      this.transcript.note(`  ${JSON.stringify(what)}: ${before ?? "not there"} → ${after ?? "not there"}`);
    }
  }

  private async keepUp(
    server: RunningPostgres,
    workspace: DemoWorkspace,
    lc2: Lc2,
    backupId: string,
  ): Promise<void> {
    const { port } = server;
    await server.stop();
    this.server = await startPostgres(server.installation, {
      ...serverOptions(workspace),
      port,
      outliveParent: true,
    });
    this.signal.throwIfAborted();
    await keepRunning({
      workspace,
      server: this.server,
      environment: lc2.environment,
      transcript: this.transcript,
      names,
      backupId,
    });
    await workspace.keep();
    this.kept = true;
  }

  private whatNext(): void {
    const { transcript } = this;
    transcript.note("Nothing of it is left behind. To keep it up and play with it:");
    transcript.command("lc2 demo --keep");
    transcript.note("With your own (passwords by PGPASSWORD or .pgpass; --dry-run starts nothing):");
    transcript.command("lc2 doctor");
    transcript.command(
      "lc2 backup create --database postgres://user@host/name --files /srv/files --repository ./backups --dry-run",
    );
  }

  /** Idempotent; never throws. */
  async cleanUp(): Promise<void> {
    if (this.kept) return;
    await this.lc2?.stop().catch(() => undefined);
    await this.server?.stop("immediate").catch(() => undefined);
    await this.workspace?.remove().catch((error: unknown) => {
      this.transcript.bad(`${this.workspace?.folder ?? ""} could not be removed: ${String(error)}`);
    });
  }
}

interface State {
  readonly database: Fingerprint;
  readonly files: Fingerprint;
}

interface KnownDifference {
  readonly what: string;
  readonly why: string;
}

const knownAfterRestore: readonly KnownDifference[] = [
  {
    what: `materialized view ${staleView}`,
    why: "it was stale on purpose; PostgreSQL computes it anew on restore",
  },
];

function describe(part: "database" | "files", fingerprint: Fingerprint): string {
  const keys = [...fingerprint.keys()];
  const count = (kind: string) => showCount(keys.filter((key) => key.startsWith(`${kind} `)).length);
  if (part === "files") return `${count("file")} files, ${count("folder")} folders, ${count("link")} links`;
  let rows = 0;
  for (const [key, value] of fingerprint) if (key.startsWith("table ")) rows += Number.parseInt(value, 10);
  return `${showCount(rows)} rows of every table, ${count("large object")} large objects, ${count("definition")} definitions`;
}

function serverOptions(workspace: DemoWorkspace) {
  return {
    directory: workspace.server,
    settings: { max_wal_size: "2GB", shared_buffers: "256MB", autovacuum: "off" },
  } as const;
}

/** The newest major whose client tools can be had too. */
async function findInstallation(
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<PostgresInstallation> {
  const reasons: string[] = [];
  for (const major of [18, 17, 16, 15]) {
    try {
      const [installation] = await ensurePostgresServers({ majors: [major], signal, log });
      if (installation?.hasClientTools === true) return installation;
    } catch (error) {
      signal.throwIfAborted();
      reasons.push(Failure.from(error).message);
    }
  }
  throw new Failure(
    "postgres-unavailable",
    reasons.join("\n") || "No PostgreSQL with client tools can be had.",
  );
}

const randomWord = (): string => crypto.randomUUID().replaceAll("-", "");
