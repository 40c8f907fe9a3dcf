// Shows a page with what the system has for it. Never through a shell, never anything but a page of the web.

/** False where there is nothing that shows pages. */
export async function openBrowser(url: string, system: NodeJS.Platform, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (!/^https?:$/.test(new URL(url).protocol)) return false;
  // Without a display, xdg-open would show a page of text over the terminal.
  if (system === "linux" && !env.DISPLAY && !env.WAYLAND_DISPLAY && !env.BROWSER) return false;
  const { command, args } = opener(system);
  const { WRKST_TOKEN: _, ...rest } = env;
  const { spawn } = await import("node:child_process");
  return new Promise((resolve) => {
    const child = spawn(command, [...args, url], { stdio: "ignore", detached: true, env: rest });
    child.once("error", () => resolve(false));
    child.once("spawn", () => resolve(true));
    child.unref();
  });
}

function opener(system: NodeJS.Platform): { command: string; args: string[] } {
  if (system === "darwin") return { command: "open", args: [] };
  // `start` of cmd.exe would read `&` in an address.
  if (system === "win32") return { command: "rundll32", args: ["url.dll,FileProtocolHandler"] };
  return { command: "xdg-open", args: [] };
}
