import { request } from "node:http";
import { inject } from "vitest";

/**
 * The keeper's answer to a path (see server-keeper.ts). Without a time-out of its own: a first use may
 * download or build a server, which takes minutes; the test's time-out is the limit.
 */
export async function askKeeper(path: string): Promise<unknown> {
  const { status, body } = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request(`${inject("serverKeeper")}${path}`, { agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
  const answer: unknown = JSON.parse(body);
  if (status !== 200) throw new Error(String(answer));
  return answer;
}
