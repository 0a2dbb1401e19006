import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Puts a secret alone on one line of a file that only its owner can read; there whole or not at all. */
export async function writeSecretFile(path: string, secret: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const scratch = `${path}.${process.pid}.new`;
  const file = await open(scratch, "w", 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(`${secret}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(scratch, path);
}
