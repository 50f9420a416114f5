/** `spark`: the command line of the operators. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { registerDemo } from './demo/command.js';
import { registerDoctor } from './doctor.js';
import { registerKeys } from './keys.js';
import { registerMigrate } from './migrate.js';
import { registerOrg } from './org.js';
import { explain } from './output.js';
import { registerStart } from './start.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('spark')
  .description('Runs and looks after Artist Spark.')
  .version(version)
  .option('--verbose', 'show stack traces of errors')
  .showHelpAfterError('(spark --help lists the commands)')
  .exitOverride();

registerStart(program);
registerDemo(program);
registerMigrate(program);
registerOrg(program);
registerKeys(program);
registerDoctor(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode;
  } else {
    process.stderr.write(`${explain(error, program.opts<{ verbose?: boolean }>().verbose ?? false)}\n`);
    process.exitCode = 1;
  }
}
