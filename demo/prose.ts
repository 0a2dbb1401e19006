/**
 * Plausible prose in any amount, the same for the same seed: a chain of word triples learned from the texts
 * that come with any checkout or Debian (licences, READMEs). Made-up syllables would compress unlike a CMS.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface ProseWriter {
  /** One paragraph of about `lengthChars` characters, without newlines, ending with a full stop. */
  paragraph(lengthChars: number): string;
  /** A few words without a full stop. */
  title(): string;
}

/** Returns numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Chain {
  readonly words: readonly string[];
  /** Word numbers that follow each pair of word numbers (`first * words.length + second`). */
  readonly followers: ReadonlyMap<number, readonly number[]>;
  /** Pairs that begin a sentence. */
  readonly beginnings: readonly (readonly [number, number])[];
}

let learned: Chain | undefined;

/** A writer for `seed`. Learns from at most `corpusChars` characters of text, once a process. */
export function createProseWriter(seed: number, corpusChars = 1_000_000): ProseWriter {
  const chain = (learned ??= learn(readCorpus(corpusChars)));
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];

  const sentence = (longest: number): string[] => {
    const [first, second] = pick(chain.beginnings) ?? [0, 0];
    const numbers = [first, second];
    while (numbers.length < longest) {
      const pair = (numbers.at(-2) ?? 0) * chain.words.length + (numbers.at(-1) ?? 0);
      const next = pick(chain.followers.get(pair) ?? []);
      if (next === undefined) break;
      numbers.push(next);
      if (chain.words[next]?.endsWith(".") === true) break;
    }
    return numbers.map((number) => chain.words[number] ?? "");
  };

  return {
    paragraph(lengthChars) {
      let text = "";
      while (text.length < lengthChars) {
        const next = sentence(40).join(" ");
        text += (text === "" ? "" : " ") + (next.endsWith(".") ? next : `${next}.`);
      }
      return text;
    },
    title: () =>
      sentence(3 + Math.floor(random() * 5))
        .join(" ")
        .replace(/[.,;:]+$/, ""),
  };
}

function learn(text: string): Chain {
  const numberOf = new Map<string, number>();
  const words: string[] = [];
  const sequence = (text.match(/[\p{L}\p{M}\p{N}'’-]+[.,;:]?/gu) ?? []).map((word) => {
    let number = numberOf.get(word);
    if (number === undefined) {
      number = words.push(word) - 1;
      numberOf.set(word, number);
    }
    return number;
  });
  const followers = new Map<number, number[]>();
  const beginnings: [number, number][] = [];
  for (let i = 0; i + 2 < sequence.length; i++) {
    const [a, b, c] = [sequence[i] ?? 0, sequence[i + 1] ?? 0, sequence[i + 2] ?? 0];
    const pair = a * words.length + b;
    const list = followers.get(pair);
    if (list === undefined) followers.set(pair, [c]);
    else list.push(c);
    if (/^\p{Lu}/u.test(words[a] ?? "") && i > 0 && words[sequence[i - 1] ?? 0]?.endsWith(".") === true) {
      beginnings.push([a, b]);
    }
  }
  if (beginnings.length === 0) beginnings.push([sequence[0] ?? 0, sequence[1] ?? 0]);
  return { words, followers, beginnings };
}

/** Texts of this machine, always in the same order. What comes with the pinned packages comes first. */
function readCorpus(maxChars: number): string {
  const root = fileURLToPath(new URL("..", import.meta.url));
  let corpus = builtIn;
  for (const file of [
    ...textsBelow(join(root, "node_modules"), 3),
    ...textsBelow("/usr/share/common-licenses", 1),
  ]) {
    if (corpus.length >= maxChars) break;
    corpus += `${readFileSync(file, "utf8").replaceAll(/```[^]*?```|<[^>]*>|https?:\S+|[|`#*_=-]{2,}/g, " ")}\n`;
  }
  return corpus.slice(0, maxChars);
}

function textsBelow(folder: string, depth: number): string[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const path = join(folder, name);
    const facts = statSync(path, { throwIfNoEntry: false });
    if (facts?.isDirectory() === true) return depth > 1 ? textsBelow(path, depth - 1) : [];
    const isText = /^(readme|license|licence|changelog|contributing)/i.test(name) || !name.includes(".");
    return facts !== undefined && isText && facts.size > 2_000 && facts.size < 400_000 ? [path] : [];
  });
}

const builtIn =
  "A content management system keeps articles, their versions and the files that belong to them. An editor " +
  "writes a draft, a colleague reviews it and the published version replaces the earlier one. Every version " +
  "stays in the database until somebody deletes it. Documents are kept beside it in a folder, and a row of " +
  "the database names each of them. When one of the two is lost the other is of little use. Therefore both " +
  "are copied at the same instant, and a copy that was never restored is only a hope. ";
