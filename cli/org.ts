/** `spark org create`: an org with its defaults and its first admin. */
import type { Command } from 'commander';
import { createDatabase } from '../db/client.js';
import { createOrg } from '../db/setup.js';
import { emailArgument } from './arguments.js';
import { answer } from './output.js';
import { withOwnerDatabase } from './owner-database.js';

export function registerOrg(program: Command): void {
  const org = program.command('org').description('orgs (tenants)');
  org
    .command('create')
    .description(
      'make an org with its defaults and an admin, and print its ids as JSON; again = add what is missing',
    )
    .argument('<name>', 'name of the org')
    .requiredOption('--admin <email>', 'e-mail of the first admin', emailArgument)
    .option('--data <folder>', 'data folder of an embedded stack')
    .action(async (name: string, options: { admin: string; data?: string }) => {
      await withOwnerDatabase(options, async ({ url }) => {
        const db = createDatabase(url, { max: 1 });
        try {
          const made = await createOrg(db, { name, adminEmail: options.admin });
          answer(JSON.stringify({ org_id: made.orgId, admin_user_id: made.userId, created: made.created }));
        } finally {
          await db.destroy();
        }
      });
    });
}
