/** `spark keys login`: signs a person in where there is no Supabase. */
import type { Command } from 'commander';
import { createDatabase, type Db } from '../db/client.js';
import { ensureLogin } from '../db/logins.js';
import { emailArgument, integerArgument } from './arguments.js';
import { apiAddress, consoleLink } from './links.js';
import { answer, say, sparkCommand } from './output.js';
import { type OwnerDatabase, withOwnerDatabase } from './owner-database.js';
import { signToken } from './token.js';

const LONGEST_HOURS = 24 * 30;

export function registerKeys(program: Command): void {
  const keys = program.command('keys').description('tokens to sign in with');
  keys
    .command('login')
    .description('print a link and a token for a person; a local login is made when missing')
    .argument('<email>', 'e-mail of the person', emailArgument)
    .option('--hours <n>', 'lifetime of the token', integerArgument(1, LONGEST_HOURS), 12)
    .option('--data <folder>', 'data folder of an embedded stack')
    .action(async (email: string, options: { hours: number; data?: string }) => {
      await withOwnerDatabase(options, async (database) => {
        const secret = signingSecret(database);
        const db = createDatabase(database.url, { max: 1 });
        try {
          const login = await ensureLogin(db, email);
          const token = await signToken({ secret, login, hours: options.hours });
          answer(await consoleLink(apiAddress(database.folder), token));
          answer(token);
          if (!(await belongsSomewhere(db, login.id))) say(stranger(email, options.data));
        } finally {
          await db.destroy();
        }
      });
    });
}

async function belongsSomewhere(db: Db, userId: string): Promise<boolean> {
  const membership = await db
    .selectFrom('memberships')
    .select('org_id')
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return membership !== undefined;
}

/** A login may come before its org or its member does, but often the address is mistyped. */
function stranger(email: string, data: string | undefined): string {
  return `${email} belongs to no org yet: the API will refuse what this token asks for. Is the address mistyped? If not, make an org with \`${sparkCommand(`org create NAME --admin ${email}`, data)}\`, or have an admin give a member this e-mail; then sign in again.`;
}

function signingSecret({ folder }: OwnerDatabase): string {
  if (folder) return folder.secrets().jwtSecret;
  const secret = process.env.JWT_SECRET;
  if (secret) return secret;
  throw new Error(
    'JWT_SECRET is not set. Set it to the secret that the API checks tokens with, or sign in through Supabase.',
  );
}
