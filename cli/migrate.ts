/** `spark migrate`: brings a database to the newest version. */
import type { Command } from 'commander';
import { migrate } from '../db/migrator.js';
import { answer, say } from './output.js';
import { withOwnerDatabase } from './owner-database.js';

export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .description(
      'apply the migrations to DATABASE_URL (the owner, a direct connection), else to the embedded database',
    )
    .option('--data <folder>', 'data folder of an embedded stack')
    .addHelpText(
      'after',
      '\nSPARK_DB_PASSWORD, when set, becomes the password of the logins spark_api and spark_worker.\nRunning it again changes nothing.',
    )
    .action(async (options: { data?: string }) => {
      await withOwnerDatabase(options, async ({ url, folder }) => {
        const loginPassword = folder ? folder.secrets().loginPassword : process.env.SPARK_DB_PASSWORD;
        const result = await migrate({ url, report: say, ...(loginPassword ? { loginPassword } : {}) });
        answer(
          result.applied.length === 0
            ? `Up to date: ${result.alreadyApplied} migrations were applied before.`
            : `Applied ${result.applied.length} migrations; ${result.alreadyApplied} were applied before.`,
        );
        if (!loginPassword) {
          say(
            'SPARK_DB_PASSWORD is not set: the logins spark_api and spark_worker keep the passwords they have.',
          );
        }
      });
    });
}
