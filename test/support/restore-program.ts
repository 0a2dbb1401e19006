/** Restores in a process of its own, to be killed: repository, keys, target folder, backup id, restore number. */
import { KeyfileService } from "../../src/keys/keyfile/keyfile-service.ts";
import { openFilesystemStore } from "../../src/stores/filesystem/filesystem-store.ts";
import { openFilesPlace, planTo, restoreTo } from "./files-run.ts";

const [repository = "", keys = "", target = "", backupId = "", restore = "1"] = process.argv.slice(2);
const place = openFilesPlace(openFilesystemStore(repository));
const run = {
  ...place.run,
  keys: new KeyfileService(keys),
  ids: { hex: (length: number) => "f".repeat(length) },
};
const { plan } = await planTo(place, target, backupId, { restore: Number(restore), run });
process.send?.("begins");
await restoreTo(place, target, backupId, { restore: Number(restore), plan, run });
place.close();
process.disconnect?.();
