import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { OperationCount } from "../core/ports/catalog.ts";
import type { SlotCount } from "../core/ports/schedule-records.ts";
import type { HttpParts } from "./parts.ts";

/** Scrapers that come more often get what was counted a moment ago. */
const countedForMs = 5_000;

export interface Metrics {
  /** In Prometheus' text form. Rejects while the catalog is away. */
  render(): Promise<string>;
  readonly contentType: string;
  readonly requests: Histogram<"method" | "route" | "status">;
}

/**
 * What `/metrics` shows. Numbers of operations are counted in the catalog when somebody asks: they are right
 * however many processes work on it, and whenever this one was started.
 */
export function createMetrics(parts: HttpParts): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Histogram({
    name: "lc2_http_request_duration_seconds",
    help: "Calls answered by this process.",
    labelNames: ["method", "route", "status"] as const,
    buckets: [0.005, 0.02, 0.05, 0.2, 1, 5, 30],
    registers,
  });
  const memory = new Gauge({
    name: "lc2_operator_memory_usage_bytes",
    help: "Resident memory of this process.",
    registers,
  });
  const processor = new Counter({
    name: "lc2_operator_cpu_usage_seconds_total",
    help: "Processor time of this process.",
    registers,
  });
  const stalled = new Gauge({
    name: "lc2_stalled_operations",
    help: "Operations of this process that move no byte.",
    registers,
  });
  const fillSlots = createSlotMetrics(registry);
  const kinds = (["backup", "restore"] as const).map((kind) => createKindMetrics(kind, registry));
  let counted = Number.NEGATIVE_INFINITY;
  return {
    requests,
    contentType: registry.contentType,
    render: async () => {
      if (parts.nowMs() - counted >= countedForMs) {
        const counts = await parts.countOperations();
        counted = parts.nowMs();
        for (const kind of kinds) kind(counts);
        fillSlots(await parts.countSlots(), parts.nowMs());
      }
      stalled.set(parts.countStalled());
      memory.set(process.memoryUsage.rss());
      const { user, system } = process.cpuUsage();
      processor.reset();
      processor.inc((user + system) / 1e6);
      return await registry.metrics();
    },
  };
}

/** What came of schedules; the function returned fills them. */
function createSlotMetrics(registry: Registry) {
  const registers = [registry];
  const labelNames = ["project", "schedule"] as const;
  const slots = new Counter({
    name: "lc2_schedule_slots_total",
    help: "Times of schedules, by what came of them; of `ran` the backup tells how it went.",
    labelNames: [...labelNames, "outcome"],
    registers,
  });
  const age = new Gauge({
    name: "lc2_schedule_last_run_age_seconds",
    help: "How long ago the newest slot was that has a backup.",
    labelNames,
    registers,
  });
  return (counts: readonly SlotCount[], nowMs: number): void => {
    slots.reset();
    age.reset();
    for (const { projectId, name, outcome, count, newestMs } of counts) {
      const labels = { project: projectId, schedule: name };
      slots.inc({ ...labels, outcome }, count);
      if (outcome === "ran") age.set(labels, (nowMs - newestMs) / 1000);
    }
  };
}

/** The metrics of one kind of operation; the function returned fills them. */
function createKindMetrics(kind: "backup" | "restore", registry: Registry) {
  const registers = [registry];
  const labelNames = ["project", "application"] as const;
  const ended = new Counter({
    name: `lc2_${kind}_requests_total`,
    help: `How ${kind}s ended; a cancelled one has failed.`,
    labelNames: [...labelNames, "status"],
    registers,
  });
  const seconds = new Counter({
    name: `lc2_${kind}_seconds_total`,
    help: `Time from request to end of the ${kind}s that ended.`,
    labelNames: [...labelNames, "status"],
    registers,
  });
  const active = new Gauge({
    name: `lc2_${kind}_active_operations`,
    help: `${kind === "backup" ? "Backups" : "Restores"} that have not ended.`,
    labelNames,
    registers,
  });
  return (counts: readonly OperationCount[]): void => {
    for (const metric of [ended, seconds, active]) metric.reset();
    for (const count of counts.filter((each) => each.kind === kind)) {
      const labels = { project: count.projectId, application: count.application ?? "" };
      if (count.outcome === undefined) {
        active.inc(labels, count.count);
        continue;
      }
      const status = count.outcome === "Completed" ? "success" : "failed";
      ended.inc({ ...labels, status }, count.count);
      seconds.inc({ ...labels, status }, count.durationMs / 1000);
    }
  };
}
