/**
 * `lc2 worker [KIND [buckets]]`: one task of the engine, in a process of its own. Started by
 * `processes/launch-worker.ts`, with the kind of task, and whether it is about buckets, when the task itself is still to come.
 */
import { loadTask, runTask } from "../worker/run-task.ts";
import { runWorkerProcess } from "../worker/worker-process.ts";
import { readEnvironment } from "./config.ts";
import { loadBucketStore, openStore } from "./open-store.ts";

const [expectedKind, expectedPlaces] = process.argv.slice(2);
if (expectedKind !== undefined) {
  await Promise.all([
    loadTask(expectedKind),
    import("../stores/filesystem/filesystem-store.ts"),
    import("../keys/keyfile/keyfile-service.ts"),
    expectedPlaces === "buckets" ? loadBucketStore() : undefined,
  ]);
}

await runWorkerProcess({
  runTask,
  openStore,
  openKeys: async (directory, onNotice) => {
    const { KeyfileService } = await import("../keys/keyfile/keyfile-service.ts");
    return new KeyfileService(directory, { onNotice });
  },
  env: readEnvironment(),
});
