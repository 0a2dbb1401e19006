/** What the command line needs of the process it runs in; tests use one in memory. */
export interface Terminal {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** Nothing is ever asked unless standard input is a terminal. */
  readonly stdinIsTerminal: boolean;
  /** One line, asked on standard error; an empty string at the end of input. */
  ask(question: string): Promise<string>;
  /** Everything on standard input, as text. */
  readAll(): Promise<string>;
}

export interface TextSink {
  readonly isTerminal: boolean;
  /** Colours are wanted and can be shown (a terminal, and NO_COLOR is not set). */
  readonly colour: boolean;
  /** Width in characters now; 80 where it is not known. */
  columns(): number;
  write(text: string): void;
  /** The reader went away (`| head`): writing on is pointless and harmless. */
  closed(): boolean;
}

export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

const code = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;
const same = (text: string): string => text;

const colours: Paint = {
  bold: code(1, 22),
  dim: code(2, 22),
  red: code(31, 39),
  green: code(32, 39),
  yellow: code(33, 39),
  cyan: code(36, 39),
};
const plain: Paint = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

export const paintFor = (sink: Pick<TextSink, "colour">): Paint => (sink.colour ? colours : plain);

const escapes = new RegExp("\u001b\\[[0-9;]*[A-Za-z]", "g");
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}]/u;
const zeroWidth = /\p{Mn}|\p{Me}|\u200b|\u200d|\ufe0f/u;

const plainText = /^[ -~]*$/;

/** Columns a text takes on a terminal: colours count nothing, East Asian wide characters two. */
export function displayWidth(text: string): number {
  if (plainText.test(text)) return text.length;
  let width = 0;
  for (const character of text.replaceAll(escapes, "")) {
    if (zeroWidth.test(character)) continue;
    width += wide.test(character) ? 2 : 1;
  }
  return width;
}

/** At most `columns` wide; cut text ends with "…". Only for text without colours. */
export function fit(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let width = 0;
  let cut = "";
  for (const character of text) {
    width += displayWidth(character);
    if (width > columns - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

/**
 * Lines of at most `columns`, broken between words; a longer word (a path, an id) stays whole, so that it can be
 * copied. May hold colours.
 */
export function wrapWords(text: string, columns: number): string[] {
  const lines: string[] = [];
  const [first = "", ...words] = text.split(" ");
  let line = first;
  for (const word of words) {
    if (line.trim() !== "" && displayWidth(line) + 1 + displayWidth(word) > columns) {
      lines.push(line);
      line = word;
    } else {
      line += ` ${word}`;
    }
  }
  return [...lines, line];
}

/**
 * A name from somebody else's system (a file, a table, a server's message) made safe to print: control
 * characters are escaped, so that a file called "\u001b[2J" cannot drive the terminal.
 */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
  });
}
