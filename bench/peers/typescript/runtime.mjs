// A minimal runtime client: the npm package aws-lambda-ric has a native part to be compiled.
// It does less than that one, so this peer starts a little earlier than it would on Lambda.
import http from "node:http";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const options = { host, port, agent, method, path: `/2018-06-01/runtime/${path}` };
    const request = http.request(options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }),
      );
    });
    request.on("error", reject);
    request.end(body);
  });
}

const problem = (error) =>
  JSON.stringify({ errorType: error.name, errorMessage: error.message, stackTrace: [] });

const [file, name] = process.argv.slice(2);
let handler;
try {
  ({ [name]: handler } = await import(new URL(file, `file://${process.cwd()}/`)));
} catch (error) {
  await ask("POST", "init/error", problem(error));
  throw error;
}
for (;;) {
  const { headers, body } = await ask("GET", "invocation/next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    const answer = await handler(JSON.parse(body), { awsRequestId: id });
    await ask("POST", `invocation/${id}/response`, JSON.stringify(answer ?? null));
  } catch (error) {
    await ask("POST", `invocation/${id}/error`, problem(error));
  }
}
