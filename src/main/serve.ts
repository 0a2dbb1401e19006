/** `lc2 serve`: the REST interface and the engine behind it, until a signal ends it. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServeWish } from "../cli/host.ts";
import type { LogLine } from "../contract/service.ts";
import { Failure } from "../core/failure.ts";
import type { NoticeSubject } from "../engine/parts.ts";
import type { LogEntry } from "../http/parts.ts";
import { openHttpServer, type HttpServer } from "../http/open-http-server.ts";
import { watchDependencies } from "./check-dependencies.ts";
import type { Config } from "./config.ts";
import { writeLog } from "./json-log.ts";
import { loadCatalog } from "./open-catalog.ts";
import { writeSecretFile } from "./secret-file.ts";
import { openEngine, type Engine } from "./service.ts";
import { readTlsFiles, watchTlsFiles } from "./tls-files.ts";

/** How often what dead processes left is looked for. */
const tendMs = 5_000;

export type ServeOptions = ServeWish & { readonly version: string };

const say = (level: LogEntry["level"], message: string): void =>
  writeLog({ level, logger: "lc2.server", message });

/** Resolves when the server has ended, after a signal. Rejects when it cannot begin. */
export async function serve(options: ServeOptions, config: Config): Promise<void> {
  refuseExposure(options);
  const engine = openEngine(config, await loadCatalog(config.catalog), {
    isTended: true,
    onNotice: logNotice,
  });
  const stopping = new AbortController();
  const signals = onSignals(() => stopping.abort());
  try {
    const server = await openServer(options, engine, stopping.signal);
    const { tls } = options;
    const watch =
      tls === undefined
        ? undefined
        : watchTlsFiles(tls, await readTlsFiles(tls), {
            replace: (files) => {
              server.replaceTls(files);
              say("INFO", "The TLS certificate was replaced.");
            },
            onProblem: (message) => say("WARN", message),
          });
    await prepareAccess(engine, config, stopping.signal);
    if (options.metricsListen !== undefined) {
      say("INFO", `Metrics are at ${await server.listenForMetrics(options.metricsListen)}.`);
    }
    say("INFO", `Listening at ${await server.listen(options.listen)}.`);
    const tending = tendUntil(engine, stopping.signal);
    await Promise.all([
      engine.runQueue(stopping.signal),
      engine.runSchedules(stopping.signal),
      engine.runNotifications(stopping.signal),
    ]);
    watch?.stop();
    await drain(server, engine, { ...options, tending });
  } finally {
    signals.stop();
    await engine.service.close();
  }
}

const levels = { info: "INFO", warn: "WARN", error: "ERROR" } as const;

function logNotice({ level, message }: LogLine, about?: NoticeSubject): void {
  const durationMs = about?.end === undefined ? undefined : about.end.finishedAtMs - about.createdAtMs;
  writeLog({
    level: levels[level],
    logger: `lc2.${about?.kind ?? "engine"}`,
    message,
    fields: {
      correlation_id: about?.requestId,
      project_id: about?.projectId,
      ...(about === undefined ? {} : { [`${about.kind}_id`]: about.id }),
      application: about?.application,
      duration_ms: durationMs,
    },
  });
}

async function openServer(options: ServeOptions, engine: Engine, stopping: AbortSignal): Promise<HttpServer> {
  const parts = {
    service: engine.service,
    gatekeeper: engine.gatekeeper,
    version: options.version,
    nowMs: () => Date.now(),
    newId: () => randomBytes(6).toString("hex"),
    log: writeLog,
    checkDependencies: watchDependencies({
      checkCatalog: async () => await engine.checkCatalog(),
      repository: engine.ownRepository,
      checkBucket: async () => await engine.checkOwnRepository(stopping),
      nowMs: () => Date.now(),
    }),
    countOperations: async () => await engine.countOperations(),
    countStalled: () => engine.countStalled(),
    countSlots: async () => await engine.countSlots(),
    trustsOperators: options.trustOperators,
    stopping,
  };
  return await openHttpServer(parts, options.tls === undefined ? undefined : await readTlsFiles(options.tls));
}

/** Loopback needs no TLS; further away a key sent in the open would be everybody's. */
function refuseExposure({ listen, tls, insecure }: ServeOptions): void {
  const isLoopback = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/.test(listen.host);
  if (isLoopback || tls !== undefined || insecure) return;
  throw new Failure(
    "listen-exposed",
    `${listen.host}:${listen.port} can be reached from other machines, and without TLS keys would cross the ` +
      "network in the open. Give --tls-cert and --tls-key; or --insecure where something in front of it speaks TLS.",
  );
}

/** The first key of the installation, where there is none; waits for a catalog that is away. */
async function prepareAccess(engine: Engine, config: Config, stopping: AbortSignal): Promise<void> {
  const place = join(config.dataDirectory, "admin.key");
  while (!stopping.aborted) {
    try {
      const isMade = await engine.ensureFirstApiKey(async (secret) => await writeSecretFile(place, secret));
      if (isMade)
        say(
          "WARN",
          `The first API key, for the admin, is in ${place}. Keep it, or make others and revoke it.`,
        );
      return;
    } catch (error) {
      const failure = Failure.from(error);
      if (failure.code !== "catalog-unreachable") throw failure;
      say("WARN", failure.message);
      await sleep(tendMs, undefined, { signal: stopping }).catch(() => undefined);
    }
  }
}

/**
 * Ends what dead processes left, now and from time to time, until the server is told to stop. What it is at then may take
 * long, as long as a store is away.
 */
async function tendUntil(engine: Engine, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    await engine.tend(stopping).catch((error: unknown) => say("WARN", Failure.from(error).message));
    await sleep(tendMs, undefined, { signal: stopping }).catch(() => undefined);
  }
}

/**
 * Takes nothing new. What runs is given some time, or handed over to the next server, or its backups go back to the
 * queue. What has not ended then ends with this process, and the next one records it as interrupted; stored bytes that
 * are whole are used again. So does the recovery of another process's work that is under way.
 */
async function drain(
  server: HttpServer,
  engine: Engine,
  { onStop, drainSeconds: seconds, tending }: ServeOptions & { readonly tending: Promise<void> },
): Promise<void> {
  say(
    "INFO",
    `Stopping: nothing new is taken; ${engine.unfinished()} operations run (${stopWords[onStop]}).`,
  );
  if (onStop === "handover") engine.handOver();
  if (onStop === "end") engine.giveBack();
  const deadline = performance.now() + seconds * 1000;
  const closed = Promise.all([server.close(), tending]);
  while (engine.unfinished() > 0 && performance.now() < deadline) await sleep(100);
  await Promise.race([closed, sleep(Math.max(0, deadline - performance.now()))]);
  say("INFO", `Stopped with ${engine.unfinished()} operations unfinished.`);
}

const stopWords = {
  wait: "they are waited for",
  handover: "they go on, and the next server takes them on",
  end: "backups go back to the queue",
} as const;

function onSignals(stop: () => void): { stop(): void } {
  let count = 0;
  const onSignal = (): void => {
    count += 1;
    if (count > 1) process.exit(1);
    stop();
  };
  const names = ["SIGINT", "SIGTERM"] as const;
  for (const name of names) process.on(name, onSignal);
  return {
    stop: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
