/** Addresses that are printed for people. */
import type { DataFolder } from '../sandbox/data-folder.js';

/** Where the API is: of an embedded stack, else PUBLIC_URL, else HOST and PORT. */
export function apiAddress(folder: DataFolder | undefined, env: NodeJS.ProcessEnv = process.env): string {
  if (folder) return `http://127.0.0.1:${folder.state()?.ports.api ?? 8080}`;
  return env.PUBLIC_URL ?? `http://${env.HOST ?? '127.0.0.1'}:${env.PORT ?? 8080}`;
}

/**
 * A link that signs a person in: to the console where the API serves one, else to the API's own documentation. The
 * token stands in the fragment, which browsers send to no server.
 */
export async function consoleLink(api: string, token: string): Promise<string> {
  const hasConsole = await fetch(`${api}/console/`, {
    method: 'HEAD',
    signal: AbortSignal.timeout(2_000),
  }).then(
    (response) => response.ok,
    () => false,
  );
  return `${api}/${hasConsole ? 'console/' : 'docs/'}#token=${token}`;
}
