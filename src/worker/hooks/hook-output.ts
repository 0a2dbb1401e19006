/** Kept of what a hook says. */
const keptBytes = 64 * 1024;
const mask = "***";

/** The end of what a hook says, with every secret it was given left out. */
export class HookOutput {
  readonly #secrets: readonly string[];
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #isCut = false;

  constructor(secrets: readonly string[]) {
    // The longest first: one may be a part of another. What is short is in any text.
    this.#secrets = secrets.filter((secret) => secret.length >= 4).sort((a, b) => b.length - a.length);
  }

  add(piece: Uint8Array): void {
    this.#pieces.push(Buffer.from(piece));
    this.#bytes += piece.length;
    while (this.#bytes - (this.#pieces[0]?.length ?? 0) >= keptBytes) {
      this.#bytes -= this.#pieces.shift()?.length ?? 0;
      this.#isCut = true;
    }
  }

  read(): { readonly output: string; readonly outputCut?: true } {
    const isCut = this.#isCut || this.#bytes > keptBytes;
    const kept = Buffer.concat(this.#pieces).subarray(Math.max(0, this.#bytes - keptBytes));
    let text = kept.toString("utf8").replaceAll("\0", "");
    if (isCut) text = this.#dropBrokenSecret(text);
    for (const secret of this.#secrets) text = text.replaceAll(secret, mask);
    return { output: text.trimEnd(), ...(isCut ? { outputCut: true } : {}) };
  }

  /** The cut may have gone through a secret: what is left of it at the beginning goes, too. */
  #dropBrokenSecret(text: string): string {
    for (const secret of this.#secrets) {
      for (let start = 1; start < secret.length; start += 1) {
        const rest = secret.slice(start);
        if (text.startsWith(rest)) return text.slice(rest.length);
      }
    }
    return text;
  }
}
