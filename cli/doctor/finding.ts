/** Something that is wrong, and what the operator can do about it. */
export interface Finding {
  area:
    | 'servers'
    | 'migrations'
    | 'ledger'
    | 'credits'
    | 'outbox'
    | 'workflows'
    | 'schedules'
    | 'automations';
  problem: string;
  repair: string;
}
