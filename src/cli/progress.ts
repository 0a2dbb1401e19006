/**
 * What is going on, on standard error: on a terminal one live line per component, redrawn in place; in a
 * pipe or log plain lines, one when a component goes on to another phase and one every ten seconds.
 */
import type { LogLine, ServiceEvent } from "../contract/service.ts";
import type { Progress } from "../contract/worker-task.ts";
import { count, counted, duration, percent, rate, size } from "./humanise.ts";
import { displayWidth, fit, paintFor, printable } from "./terminal.ts";
import type { Paint, TextSink } from "./terminal.ts";

export interface ProgressView {
  onEvent(event: ServiceEvent): void;
  /** A line above the live ones, which stays. */
  note(line: string): void;
  /** Takes the live lines away. Idempotent; a later event brings them back. */
  stop(): void;
}

interface ViewOptions {
  readonly nowMs: () => number;
  /** Warnings and errors only. */
  readonly quiet: boolean;
}

interface Track {
  latest: Progress;
  readonly startedMs: number;
  phaseStartedMs: number;
  /** Smoothed; bytes and objects a second. */
  bytesPerSecond: number;
  objectsPerSecond: number;
  measuredMs: number;
  measured: Progress;
  plainLineMs: number;
}

const redrawEveryMs = 100;
const plainLineEveryMs = 10_000;
const barWidth = 20;

export function createProgressView(sink: TextSink, options: ViewOptions): ProgressView {
  const tracks = new Map<string, Track>();
  const paint = paintFor(sink);
  const live = sink.isTerminal && !options.quiet;
  let drawn: readonly number[] = [];
  const bars: Bars = { width: 0, fit: true };
  let drawnMs = Number.NEGATIVE_INFINITY;
  let operation: { id: string; status: string; startedMs: number } | undefined;

  const erase = (): void => {
    // A terminal made narrower since has broken the lines into several.
    const rows = drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / sink.columns())), 0);
    if (rows > 0) sink.write(`\u001b[${rows}A\r\u001b[J`);
    drawn = [];
  };
  const note = (line: string): void => {
    erase();
    sink.write(`${line}\n`);
    if (live) draw(true);
  };
  const draw = (now: boolean): void => {
    const nowMs = options.nowMs();
    if (!now && nowMs - drawnMs < redrawEveryMs) return;
    drawnMs = nowMs;
    const width = Math.max(20, sink.columns() - 1);
    const lines = liveLines([...tracks.values()], nowMs, width, bars);
    if (operation !== undefined && lines.length > 0) {
      const elapsed = duration((nowMs - operation.startedMs) / 1000);
      lines.unshift(paint.dim(fit(`${operation.id}  ${operation.status}  ${elapsed}`, width)));
    }
    erase();
    if (lines.length > 0) sink.write(lines.map((line) => `${line}\n`).join(""));
    drawn = lines.map((line) => displayWidth(line));
  };

  const onProgress = (progress: Progress): void => {
    const nowMs = options.nowMs();
    const known = tracks.get(progress.component);
    const newPhase = known?.latest.phase !== progress.phase;
    const track = known === undefined ? newTrack(progress, nowMs) : measure(known, progress, nowMs);
    tracks.set(progress.component, track);
    if (options.quiet) return;
    if (live) {
      draw(newPhase);
    } else if ((newPhase && known !== undefined) || nowMs - track.plainLineMs >= plainLineEveryMs) {
      track.plainLineMs = nowMs;
      sink.write(`${plainLine(track, nowMs)}\n`);
    }
  };

  return {
    onEvent: (event) => {
      switch (event.type) {
        case "accepted":
          operation = { id: event.id, status: "", startedMs: options.nowMs() };
          if (!options.quiet && !live) sink.write(`${event.id}: accepted\n`);
          break;
        case "state":
          if (operation !== undefined) {
            const changed = operation.status !== event.status;
            operation.status = event.status;
            if (!options.quiet && !live && changed) sink.write(`${operation.id}: ${event.status}\n`);
          }
          break;
        case "progress":
          onProgress(event.progress);
          break;
        case "log":
          if (event.line.level !== "info" || !options.quiet) note(saidLine(event.line, paint));
          break;
        default:
          break;
      }
    },
    note,
    stop: () => {
      erase();
      tracks.clear();
    },
  };
}

function saidLine({ level, message }: LogLine, paint: Paint): string {
  const text = message
    .split("\n")
    .map((line) => printable(line))
    .join("\n");
  if (level === "info") return paint.dim(text);
  return `${level === "warn" ? paint.yellow("warning:") : paint.red("error:")} ${text}`;
}

function newTrack(progress: Progress, nowMs: number): Track {
  return {
    latest: progress,
    startedMs: nowMs,
    phaseStartedMs: nowMs,
    bytesPerSecond: 0,
    objectsPerSecond: 0,
    measuredMs: nowMs,
    measured: progress,
    plainLineMs: nowMs,
  };
}

/** Rates over half a second and more, smoothed, so that a line can be read; they start again with each phase. */
function measure(track: Track, progress: Progress, nowMs: number): Track {
  if (track.latest.phase !== progress.phase || progress.bytes < track.latest.bytes) {
    return { ...newTrack(progress, nowMs), startedMs: track.startedMs, plainLineMs: track.plainLineMs };
  }
  const seconds = (nowMs - track.measuredMs) / 1000;
  if (seconds < 0.5) return { ...track, latest: progress };
  const smooth = (old: number, done: number): number => {
    const now = done / seconds;
    return old === 0 ? now : old * 0.7 + now * 0.3;
  };
  return {
    ...track,
    latest: progress,
    bytesPerSecond: smooth(track.bytesPerSecond, progress.bytes - track.measured.bytes),
    objectsPerSecond: smooth(track.objectsPerSecond, (progress.objects ?? 0) - (track.measured.objects ?? 0)),
    measuredMs: nowMs,
    measured: progress,
  };
}

/** Share done, 0..1; by bytes where their total is known, else by objects. */
function shareDone({ bytes, totalBytes, objects, totalObjects }: Progress): number | undefined {
  if (totalBytes !== undefined && totalBytes > 0) return Math.min(1, bytes / totalBytes);
  if (totalObjects !== undefined && totalObjects > 0) return Math.min(1, (objects ?? 0) / totalObjects);
  return undefined;
}

function secondsLeft(track: Track): number | undefined {
  const { bytes, totalBytes, objects = 0, totalObjects } = track.latest;
  if (totalBytes !== undefined && totalBytes > 0) {
    return track.bytesPerSecond > 0 ? Math.max(0, totalBytes - bytes) / track.bytesPerSecond : undefined;
  }
  if (totalObjects !== undefined && track.objectsPerSecond > 0) {
    return Math.max(0, totalObjects - objects) / track.objectsPerSecond;
  }
  return undefined;
}

function amounts({ bytes, totalBytes, objects, totalObjects, component }: Progress): string[] {
  const parts: string[] = [];
  if (objects !== undefined && (component !== "database" || totalObjects !== undefined)) {
    const noun = component === "database" ? "tables" : "files";
    parts.push(
      totalObjects === undefined
        ? counted(objects, noun.slice(0, -1))
        : `${count(objects)} of ${count(totalObjects)} ${noun}`,
    );
  }
  if (bytes > 0 || (totalBytes !== undefined && totalBytes > 0)) {
    parts.push(
      totalBytes !== undefined && totalBytes > 0 ? `${size(bytes)} of ${size(totalBytes)}` : size(bytes),
    );
  }
  return parts;
}

function facts(track: Track): string[] {
  const share = shareDone(track.latest);
  const left = secondsLeft(track);
  return [
    ...(share === undefined ? [] : [percent(share, 1)]),
    ...amounts(track.latest),
    ...(track.bytesPerSecond > 0 ? [rate(track.bytesPerSecond)] : []),
    ...(left === undefined || share === 1 ? [] : [`ETA ${left < 1 ? "1 s" : duration(Math.ceil(left))}`]),
  ];
}

/** Whether bars have fitted so far in this width: once they did not, they stay away and lines do not jump. */
interface Bars {
  width: number;
  fit: boolean;
}

/** One line a component; with bars where there is room for all of them. */
function liveLines(tracks: readonly Track[], nowMs: number, width: number, bars: Bars): string[] {
  const parts = tracks.map((track) => {
    const { component, phase } = track.latest;
    const said = facts(track).join("  ");
    const elapsed = duration((nowMs - track.phaseStartedMs) / 1000);
    return {
      name: `${component.padEnd(8)}  ${phase.padEnd(9)}`,
      said: said === "" ? elapsed : said,
      share: shareDone(track.latest),
    };
  });
  const longest = Math.max(0, ...parts.map(({ name, said }) => name.length + said.length));
  bars.fit = (bars.fit || bars.width !== width) && longest + barWidth + 6 <= width;
  bars.width = width;
  const shown = bars.fit && parts.some(({ share }) => share !== undefined);
  return parts.map(({ name, said, share }) => {
    const full = Math.round((share ?? 0) * barWidth);
    const bar = `[${"#".repeat(full)}${"·".repeat(barWidth - full)}]  `;
    const room = shown ? (share === undefined ? " ".repeat(bar.length) : bar) : "";
    return fit(`${name}  ${room}${said}`, width);
  });
}

function plainLine(track: Track, nowMs: number): string {
  const { component, phase } = track.latest;
  const elapsed = duration((nowMs - track.startedMs) / 1000);
  return `${[`${component}: ${phase}`, ...facts(track)].join(", ")} (${elapsed})`;
}
