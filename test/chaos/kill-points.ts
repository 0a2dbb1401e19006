/**
 * Kill points: every call that a process makes to the outside has one before it and one after it. In test
 * programs only, which wrap the ports of the product with `around`. A process that reaches the chosen point ends
 * itself by SIGKILL: nothing of it runs any more, no handler, no `finally`.
 */
import { appendFileSync, closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";

export interface KillPoint {
  /** `engine`, or the kind of a worker's task. */
  readonly process: string;
  /** What is called, e.g. `catalog.startTask` or `store.createIfAbsent`. */
  readonly call: string;
  /** Counts from 1 the calls of this name in one process. */
  readonly count: number;
  readonly when: "before" | "after";
}

/** How programs under test are told; JSON in LC2_TEST_KILL_POINTS. */
export interface KillOrder {
  /** Holds `journal`, a point a line in the order they were reached, and `killed` and `killed-again` once a process was. */
  readonly folder: string;
  /** Absent: nobody is killed, the points are only noted. */
  readonly killAt?: KillPoint;
  /** Where another one is killed that recovers from it. */
  readonly killAgainAt?: KillPoint;
}

export const killOrderVariable = "LC2_TEST_KILL_POINTS";

export const describePoint = ({ process, call, count, when }: KillPoint): string =>
  `${when} ${call} #${count} of ${process}`;

/** It changes nothing: a process that is killed there leaves the world as the last change before it did. */
export const isLook = ({ call }: KillPoint): boolean =>
  /^(?:store\.head|keys\.(?:unwrap|recipients)|sql (?:SELECT|SHOW|SET|WITH))\b/.test(call);

/** The points of one process. */
export class KillPoints {
  readonly #process: string;
  readonly #order: KillOrder;
  readonly #counts = new Map<string, number>();

  constructor(processName: string, order: KillOrder) {
    this.#process = processName;
    this.#order = order;
  }

  /** Makes the call, with a point before it and one after it, whether it returns, resolves or fails. */
  around<T>(call: string, make: () => T): T {
    const count = (this.#counts.get(call) ?? 0) + 1;
    this.#counts.set(call, count);
    this.#reach({ process: this.#process, call, count, when: "before" });
    const after = (): void => this.#reach({ process: this.#process, call, count, when: "after" });
    const result = make();
    if (!(result instanceof Promise)) {
      after();
      return result;
    }
    return result.finally(after) as T;
  }

  /** The object with points around the methods that are chosen. */
  wrap<T extends object>(name: string, object: T, isCounted: (method: string) => boolean): T {
    return new Proxy(object, {
      get: (inner, member) => {
        const value: unknown = Reflect.get(inner, member);
        if (typeof value !== "function") return value;
        const method = value.bind(inner) as (...parameters: unknown[]) => unknown;
        const call = String(member);
        if (!isCounted(call)) return method;
        return (...parameters: unknown[]) => this.around(`${name}.${call}`, () => method(...parameters));
      },
    });
  }

  #reach(point: KillPoint): void {
    const { folder, killAt, killAgainAt } = this.#order;
    const killed = join(folder, "killed");
    const isHere = (order?: KillPoint): boolean =>
      order !== undefined && describePoint(order) === describePoint(point);
    const isRecovery = existsSync(killed);
    appendFileSync(join(folder, "journal"), `${JSON.stringify(point)}\n`);
    // Once: whoever comes after the killed one passes the same point.
    if (isHere(killAt) && isFirst(killed)) process.kill(process.pid, "SIGKILL");
    if (isRecovery && isHere(killAgainAt) && isFirst(`${killed}-again`)) process.kill(process.pid, "SIGKILL");
  }
}

export const readKillOrder = (): KillOrder => JSON.parse(process.env[killOrderVariable] ?? "{}") as KillOrder;

function isFirst(path: string): boolean {
  try {
    closeSync(openSync(path, "wx"));
    return true;
  } catch {
    return false;
  }
}
