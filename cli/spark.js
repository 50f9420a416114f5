#!/usr/bin/env node
/** Launcher: TypeScript is loaded by tsx, so that the command runs from a clone without a build step. */
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 18)) {
  console.error(`spark needs Node 20.18 or newer; this is ${process.versions.node}. Install a newer Node.`);
  process.exit(1);
}

let tsx;
try {
  tsx = await import('tsx/esm/api');
} catch {
  console.error('The dependencies are not installed. Run `npm ci` in the repository, then try again.');
  process.exit(1);
}
tsx.register();
await import('./spark.ts');
