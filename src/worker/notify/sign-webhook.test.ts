import { expect, it } from "vitest";
import { signWebhook } from "./sign-webhook.ts";

it("signs as the specification's own example does", () => {
  // The example of Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks
  const headers = signWebhook(
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    1614265330,
    '{"test": 2432232314}',
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  );
  expect(headers).toEqual({
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

it("takes any other secret as the key", () => {
  const sign = (secret: string) => signWebhook("msg_1", 1, "{}", secret)["webhook-signature"];
  expect(sign("plain")).not.toBe(sign("whsec_plain"));
  expect(sign("plain")).toBe(sign(`whsec_${Buffer.from("plain").toString("base64")}`));
});
