/** The mailbox for eyes: a list and one mail. Plain HTML, everything escaped; a mail's own HTML stays in a closed frame. */
import mustache from 'mustache';
import type { Mail } from './mails.js';

export const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'";

const FRAME = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
  body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
  td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
  dt { font-weight: 600; } dd { margin: 0 0 .6rem; overflow-wrap: anywhere; }
  iframe { width: 100%; height: 32rem; border: 1px solid #8884; background: #fff; }
  pre { white-space: pre-wrap; border: 1px solid #8884; padding: 1rem; }
  input { font: inherit; padding: .2rem .5rem; }
</style>
</head>
<body>{{> content}}</body>
</html>`;

const LIST = `
<h1>Mailbox</h1>
<p>{{total}} mails{{#filtered}} that match{{/filtered}}. They were taken by the stand-in for Resend; none has left this machine.</p>
<form method="get" action="/mailbox">
  <input name="to" value="{{filter.to}}" placeholder="to" aria-label="to">
  <input name="subject" value="{{filter.subject}}" placeholder="subject" aria-label="subject">
  <input name="tag" value="{{filter.tag}}" placeholder="tag" aria-label="tag">
  <button>Filter</button>
</form>
<table>
<thead><tr><th>Business time</th><th>To</th><th>Subject</th><th>Tags</th></tr></thead>
<tbody>
{{#mails}}<tr><td class="time">{{time}}</td><td>{{to}}</td><td><a href="/mailbox/{{id}}">{{subject}}</a></td><td>{{tags}}</td></tr>
{{/mails}}
{{^mails}}<tr><td colspan="4">No mail yet.</td></tr>{{/mails}}
</tbody>
</table>`;

const ONE = `
<p><a href="/mailbox">Mailbox</a></p>
<h1>{{mail.subject}}</h1>
<dl>
  <dt>From</dt><dd>{{mail.from}}</dd>
  <dt>To</dt><dd>{{to}}</dd>
  <dt>Business time</dt><dd>{{time}}</dd>
  <dt>Real time</dt><dd>{{mail.created_at}}</dd>
  <dt>Tags</dt><dd>{{tags}}</dd>
  <dt>Idempotency key</dt><dd>{{mail.idempotency_key}}</dd>
  {{#headers}}<dt>{{name}}</dt><dd>{{value}}</dd>{{/headers}}
</dl>
{{#mail.html}}<iframe sandbox srcdoc="{{mail.html}}" title="The mail as HTML"></iframe>{{/mail.html}}
{{#mail.text}}<h2>As text</h2><pre>{{mail.text}}</pre>{{/mail.text}}`;

export function listPage(
  mails: readonly Mail[],
  total: number,
  filter: { to?: string | undefined; subject?: string | undefined; tag?: string | undefined },
): string {
  const view = {
    title: 'Mailbox',
    total,
    filter,
    filtered: Boolean(filter.to || filter.subject || filter.tag),
    mails: mails.map((mail) => ({ ...mail, ...inWords(mail) })),
  };
  return mustache.render(FRAME, view, { content: LIST });
}

export function mailPage(mail: Mail): string {
  const headers = Object.entries(mail.headers).map(([name, value]) => ({ name, value }));
  return mustache.render(FRAME, { title: mail.subject, mail, headers, ...inWords(mail) }, { content: ONE });
}

function inWords(mail: Mail): { to: string; tags: string; time: string } {
  return {
    to: mail.to.join(', '),
    tags: mail.tags.map(({ name, value }) => `${name}: ${value}`).join(', '),
    time: mail.business_at.slice(0, 19).replace('T', ' '),
  };
}
