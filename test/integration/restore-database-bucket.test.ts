import { expect, test } from "vitest";
import { backUp } from "../support/restore-run.ts";
import { cutResponse } from "../support/s3-faults.ts";
import { useS3Server } from "../support/s3-servers.ts";
import { openStoreOverProxy } from "../support/s3-store-over-proxy.ts";
import { freshDatabase, installations, useServer } from "../support/servers.ts";

const major = (await installations()).at(-1)?.major ?? 17;

test("a database is restored from a bucket whose connections are cut in the middle of its rows", async () => {
  const server = await useServer(major);
  await using source = await freshDatabase(server);
  await server.psql(
    `SET ROLE "${source.owner.name}";
     CREATE TABLE article (id int PRIMARY KEY, body text);
     INSERT INTO article SELECT i, (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 20) j)
       FROM generate_series(1, 10000) i;`,
    source.name,
  );
  await using backup = await backUp(source);
  await using bucket = await openStoreOverProxy(await useS3Server("versitygw"));
  const { store } = backup.backup;
  for await (const { name } of store.list("")) {
    const writer = await bucket.store.write(name);
    for await (const piece of store.read(name)) await writer.write(piece);
    await writer.commit();
  }
  const cuts = bucket.proxy.add({
    operation: "GetObject",
    key: /database\/.*dump/,
    times: 3,
    fault: cutResponse(500_000),
  });
  await using target = await freshDatabase(server);
  const plan = await backup
    .as(target.owner)
    .restore({ url: target.owner.url, into: "empty" }, { changes: { store: bucket.store } });
  expect(plan.blockers).toEqual([]);
  expect(cuts.hits).toBeGreaterThan(0);
  const sum = "SELECT count(*) AS n, md5(string_agg(body, '' ORDER BY id)) AS sum FROM article";
  expect(await server.query(sum, target.name)).toEqual(await server.query(sum, source.name));
});
