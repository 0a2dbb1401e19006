import { decodeKey, encodeKey, type FileKey } from "../../core/repository/manifest.ts";
import type { KeyedObject, ListPage, PageRequest } from "./list-page.ts";

type Ask = (request: PageRequest) => Promise<ListPage>;

export interface SplitOptions {
  /** Text before every key; may be empty. */
  readonly prefix: string;
  /** Parts of the list that are asked for at once. */
  readonly listsAtOnce: number;
  /** A store that takes longer for a page is asked for several parts at once; default 60 ms. */
  readonly slowPageMs?: number;
}

const usualSlowPageMs = 60;
/** Pages of a part that wait for their turn. */
const pagesAhead = 2;
const mostPrefixes = 512;

/**
 * Lists everything below a prefix, page by page, in the store's order, the next page being on its way while one is
 * worked on. Where pages are slow to come, the rest of the list is cut at names of folders, and several parts are
 * asked for at once. Memory: two pages of each part that is under way.
 */
export async function* listInOrder(
  ask: Ask,
  options: SplitOptions,
): AsyncGenerator<readonly KeyedObject[], void, undefined> {
  const { prefix, listsAtOnce, slowPageMs = usualSlowPageMs } = options;
  const askedAtMs = performance.now();
  const first = await ask(prefixOf(prefix));
  const isSlow = performance.now() - askedAtMs > slowPageMs;
  const last = first.objects.at(-1)?.key;
  const from = last === undefined ? undefined : decodeKey(last);
  const mayCut = first.token !== undefined && isSlow && listsAtOnce > 1;
  if (from === undefined || !mayCut || !(await knowsStartAfter(ask, prefix, from))) {
    yield* inAdvance(readOn(ask, prefix, first), 1);
    return;
  }
  yield first.objects;
  yield* new Parts(ask, prefix, listsAtOnce).list(from);
}

/** Some stores list from the beginning whatever they are asked to start after; they can be listed in one way only. */
async function knowsStartAfter(ask: Ask, prefix: string, after: string): Promise<boolean> {
  const { objects } = await ask({ ...prefixOf(prefix), StartAfter: after, MaxKeys: 1 });
  return objects.every(({ key }) => key > encodeKey(after));
}

/** What lies after `after`, up to and with `to` (or to the end), as texts of whole keys. */
interface Part {
  readonly after: string;
  readonly to: FileKey | undefined;
  /** Folders' names in it. */
  readonly prefixes: number;
}

class Parts {
  readonly #ask: Ask;
  readonly #prefix: string;
  readonly #atOnce: number;
  /** Folders a part: so many that a part takes a few pages. */
  #prefixesEach = 8;

  constructor(ask: Ask, prefix: string, atOnce: number) {
    this.#ask = ask;
    this.#prefix = prefix;
    this.#atOnce = atOnce;
  }

  async *list(from: string): AsyncGenerator<readonly KeyedObject[], void, undefined> {
    const parts = inAdvance(this.#cut(from), 1);
    const running: AsyncGenerator<readonly KeyedObject[], void, undefined>[] = [];
    try {
      for (;;) {
        while (running.length < this.#atOnce) {
          const next = await parts.next();
          if (next.done === true) break;
          running.push(inAdvance(this.#read(next.value), pagesAhead));
        }
        const turn = running.shift();
        if (turn === undefined) return;
        yield* turn;
      }
    } finally {
      await Promise.all([parts.return(), ...running.map((one) => one.return())]);
    }
  }

  /** The parts in order; wherever they are cut, nothing falls between them. */
  async *#cut(from: string): AsyncGenerator<Part, void, undefined> {
    let after = from;
    let gathered = 0;
    for await (const cutAt of this.#findPrefixes()) {
      const text = decodeKey(cutAt);
      if (text === undefined || cutAt <= encodeKey(after)) continue;
      gathered += 1;
      if (gathered < this.#prefixesEach) continue;
      yield { after, to: cutAt, prefixes: gathered };
      after = text;
      gathered = 0;
    }
    yield { after, to: undefined, prefixes: gathered };
  }

  /**
   * Folders' names, in order, as far as there are some worth cutting at. From the first: stores do not agree on whether
   * the folder of the key to start after is among them.
   */
  async *#findPrefixes(): AsyncGenerator<FileKey, void, undefined> {
    let below = this.#prefix;
    let request: PageRequest = { ...prefixOf(below), Delimiter: "/" };
    for (;;) {
      // Whatever is wrong with it: the list itself will say so, if it is more than that nobody may cut it.
      const page = await this.#ask(request).catch(() => undefined);
      if (page === undefined || page.objects.length > page.prefixes.length) return;
      const [only] = page.prefixes;
      const inside = only === undefined || page.prefixes.length > 1 ? undefined : decodeKey(only);
      if (inside !== undefined && page.token === undefined && inside.length > below.length) {
        below = inside;
        request = { Prefix: below, Delimiter: "/" };
        continue;
      }
      yield* page.prefixes;
      if (page.token === undefined) return;
      request = { ...prefixOf(below), Delimiter: "/", ContinuationToken: page.token };
    }
  }

  async *#read({ after, to, prefixes }: Part): AsyncGenerator<readonly KeyedObject[], void, undefined> {
    let pages = 0;
    let objects = 0;
    const first = await this.#ask({ ...prefixOf(this.#prefix), StartAfter: after });
    for await (const page of readOn(this.#ask, this.#prefix, first)) {
      pages += 1;
      const within = to === undefined ? page : page.filter(({ key }) => key <= to);
      objects += within.length;
      if (within.length > 0) yield within;
      if (within.length < page.length) break;
    }
    if (to !== undefined) this.#adapt(pages, objects, prefixes);
  }

  /** A part of less than a page is a request for little, one of many pages keeps all after it waiting. */
  #adapt(pages: number, objects: number, prefixes: number): void {
    if (pages < 2 && objects < 800) this.#prefixesEach = Math.min(mostPrefixes, prefixes * 2);
    else if (pages > 4) this.#prefixesEach = Math.max(1, prefixes >> 1);
  }
}

const prefixOf = (prefix: string): PageRequest => (prefix === "" ? {} : { Prefix: prefix });

/** A page and all that come after it. */
async function* readOn(
  ask: Ask,
  prefix: string,
  first: ListPage,
): AsyncGenerator<readonly KeyedObject[], void, undefined> {
  for (let page = first; ;) {
    yield page.objects;
    if (page.token === undefined) return;
    page = await ask({ ...prefixOf(prefix), ContinuationToken: page.token });
  }
}

/** The same, so many of them being asked for before their turn, from now on. */
function inAdvance<T>(
  source: AsyncGenerator<T, void, undefined>,
  count: number,
): AsyncGenerator<T, void, undefined> {
  const waiting = Array.from({ length: count }, () => askNext(source));
  return takeTurns(source, waiting);
}

async function* takeTurns<T>(
  source: AsyncGenerator<T, void, undefined>,
  waiting: Promise<IteratorResult<T, void>>[],
): AsyncGenerator<T, void, undefined> {
  try {
    for (let turn = waiting.shift(); turn !== undefined; turn = waiting.shift()) {
      const next = await turn;
      if (next.done === true) return;
      waiting.push(askNext(source));
      yield next.value;
    }
  } finally {
    await source.return();
  }
}

function askNext<T>(source: AsyncGenerator<T, void, undefined>): Promise<IteratorResult<T, void>> {
  const next = source.next();
  // It may fail while others have their turn.
  next.catch(() => undefined);
  return next;
}
