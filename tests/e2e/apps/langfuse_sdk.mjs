// The same application as langfuse_sdk.py, with Langfuse's JavaScript SDK. Its packages are looked for from the working folder.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.cwd()}/`));
const { NodeSDK } = require("@opentelemetry/sdk-node");
const { LangfuseSpanProcessor } = require("@langfuse/otel");
const { startActiveObservation, updateActiveObservation, propagateAttributes } = require("@langfuse/tracing");
const { LangfuseClient } = require("@langfuse/client");

const sdk = new NodeSDK({ spanProcessors: [new LangfuseSpanProcessor()], instrumentations: [] });
sdk.start();
const client = new LangfuseClient();
const said = { version: 5 };
await startActiveObservation("ask", async (root) => {
  const wholeTrace = { userId: "user-7", sessionId: "session-42", tags: ["beta"], metadata: { tier: "pro" } };
  await propagateAttributes(wholeTrace, async () => {
    await startActiveObservation("answer", async (call) => {
      call.update({
        model: "gpt-4o-mini",
        input: [
          { role: "user", content: "Mail jane.roe@example.com" },
          { role: "user", content: `data:image/png;base64,${Buffer.from("not really a picture").toString("base64")}` },
        ],
        output: "done",
        usageDetails: { input: 100, input_cached_tokens: 900, output: 20 },
      });
      said.observation = call.id;
      client.score.observation(call, { name: "quality", value: 0.9, comment: "from jane.roe@example.com" });
    }, { asType: "generation" });
  });
  said.trace = root.traceId;
}, { asType: "agent" });
client.score.create({ traceId: said.trace, name: "verdict", value: "good", dataType: "CATEGORICAL" });
client.score.create({ traceId: said.trace, id: "passed-js", name: "passed", value: 1, dataType: "BOOLEAN" });
await client.score.flush();
said.auth_check = (await client.api.projects.get()).data.length > 0;
await client.prompt.get("greeting", { maxRetries: 0 }).then(() => { said.prompt = "found"; }, () => {});
await sdk.shutdown();
process.stdout.write(JSON.stringify(said));
process.exit(0);
