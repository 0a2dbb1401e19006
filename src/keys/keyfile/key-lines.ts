/**
 * 32 bytes as four lines that can be typed from paper: each line is 8 bytes and 2 bytes of check, in base32
 * (RFC 4648: A–Z and 2–7), `1: ABCD EFGH IJKL MNOP`. The check is the first two bytes of SHA-256 over
 * `lc2-key-line {number}\n` and the 8 bytes, so a mistyped line, and two lines swapped, are found and named.
 */
import { createHash } from "node:crypto";

const linesPerKey = 4;
const bytesPerLine = 8;
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** What a reader of paper takes for another character; 0, 1, 8 and 9 are not in the alphabet. */
const misread: Readonly<Record<string, string>> = { "0": "O", "1": "I", "8": "B" };

export function printKeyLines(value: Uint8Array): string[] {
  const lines: string[] = [];
  for (let number = 1; number <= linesPerKey; number += 1) {
    const bytes = value.subarray((number - 1) * bytesPerLine, number * bytesPerLine);
    const text = encodeBase32(Buffer.concat([bytes, lineCheck(number, bytes)]));
    lines.push(`${number}: ${(text.match(/.{4}/g) as string[]).join(" ")}`);
  }
  return lines;
}

/** What is wrong with a line, as the end of a sentence about it; or its 8 bytes. */
export function parseKeyLine(number: number, text: string): Buffer | string {
  const characters = text
    .toUpperCase()
    .replaceAll(/[\s-]/g, "")
    .replaceAll(/[018]/g, (c) => misread[c] ?? c);
  const strange = /[^A-Z2-7]/.exec(characters)?.[0];
  if (strange !== undefined) return `has the character "${strange}", which no key has`;
  if (characters.length !== 16) return `has ${characters.length} characters instead of 16`;
  const decoded = decodeBase32(characters);
  const bytes = decoded.subarray(0, bytesPerLine);
  if (!lineCheck(number, bytes).equals(decoded.subarray(bytesPerLine))) {
    return "fails its check: a character is wrong, or it is another line";
  }
  return bytes;
}

function lineCheck(number: number, bytes: Uint8Array): Buffer {
  return createHash("sha256").update(`lc2-key-line ${number}\n`).update(bytes).digest().subarray(0, 2);
}

function encodeBase32(bytes: Uint8Array): string {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  let text = "";
  for (let shift = BigInt(bytes.length * 8 - 5); shift >= 0n; shift -= 5n) {
    text += alphabet[Number((bits >> shift) & 31n)] as string;
  }
  return text;
}

function decodeBase32(text: string): Buffer {
  let bits = 0n;
  for (const character of text) bits = (bits << 5n) | BigInt(alphabet.indexOf(character));
  return Buffer.from(bits.toString(16).padStart((text.length * 5) / 4, "0"), "hex");
}
