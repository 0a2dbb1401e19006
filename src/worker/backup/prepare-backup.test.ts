import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { failureOf } from "../../../test/support/backup-run.ts";
import { backUpFolder, backupIdOf, openFilesPlace } from "../../../test/support/files-run.ts";
import { prepareBackup } from "./prepare-backup.ts";

it("refuses an id under which the repository holds a backup already, but not to an attempt that may have sealed it", async () => {
  const place = openFilesPlace();
  try {
    const source = join(place.folder, "source");
    mkdirSync(source);
    writeFileSync(join(source, "a"), "a");
    await backUpFolder(place, source, { number: 1 });
    const storage = {
      url: pathToFileURL(source).href,
      excludeGeneratedFiles: false,
      excludePatterns: [],
      excludePaths: [],
      includePaths: [],
      maxShrink: 0.5,
    };
    const prepare = async (number: number, attempt: number) =>
      await prepareBackup(
        {
          context: place.run.context,
          lease: { seconds: 30 },
          kind: "prepare-backup",
          backupId: backupIdOf(number),
          attempt,
          spec: { projectId: "retail", provider: "local", storage },
        },
        place.run,
      );
    expect(await failureOf(prepare(1, 1))).toMatchObject({ code: "refused-overwrite" });
    expect(await prepare(1, 2)).toMatchObject({ repositoryCreated: false });
    expect(await prepare(2, 1)).toMatchObject({ repositoryCreated: false });
  } finally {
    place.close();
  }
});
