// Calls to the serving runtime's control socket, as the agent makes them.
import { request } from "node:http";
import { openRunFolder } from "../agent/runtime/run-folder.js";

export async function askControl(dataDir: string, path: string, body: unknown): Promise<void> {
  const socketPath = `${await openRunFolder(dataDir)}/control.sock`;
  await new Promise<void>((resolve, reject) => {
    const outgoing = request({ socketPath, path, method: "POST", headers: { host: "runtime" } }, (response) => {
      response.resume();
      response.on("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`"${path}" answered ${response.statusCode}`));
      });
    });
    outgoing.on("error", reject);
    outgoing.end(JSON.stringify(body));
  });
}
