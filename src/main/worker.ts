/** `lc2 worker`: one task of the engine, in a process of its own. Started by `processes/launch-worker.ts`. */
import { fileURLToPath } from "node:url";
import { runTask } from "../worker/run-task.ts";
import { runWorkerProcess } from "../worker/worker-process.ts";
import { readEnvironment } from "./config.ts";

await runWorkerProcess({
  runTask,
  openStore: async (url) => {
    const { openFilesystemStore } = await import("../stores/filesystem/filesystem-store.ts");
    return openFilesystemStore(fileURLToPath(url));
  },
  openKeys: async (directory, onNotice) => {
    const { KeyfileService } = await import("../keys/keyfile/keyfile-service.ts");
    return new KeyfileService(directory, { onNotice });
  },
  env: readEnvironment(),
});
