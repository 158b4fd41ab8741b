// An OpenID provider with real pages, for tests: `node oidc-provider.mjs FILE`, FILE being JSON:
// {"port", "client_id", "client_secret", "callback": "/path", "accounts": {"login": {claims}}}
// Any password is right. PKCE is required. The callback may be on any loopback port, and nowhere else.
// PUT /accounts/LOGIN with {claims} changes a person while it runs; GET /counts tells how often pages were asked for.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.env.TEST_NODE_MODULES}/`);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const issuer = `http://127.0.0.1:${settings.port}`;
const counts = {};

const provider = new Provider(issuer, {
  clients: [{
    client_id: settings.client_id,
    client_secret: settings.client_secret,
    redirect_uris: [`https://127.0.0.1${settings.callback}`],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
  // The ID token carries `sub` alone, as this library does by default: groups come from userinfo.
  conformIdTokenClaims: true,
  features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
  cookies: { keys: ['for tests only'] },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
  findAccount: (_ctx, login) => {
    const claims = settings.accounts[login];
    return claims && { accountId: login, claims: () => ({ sub: login, ...claims }) };
  },
});

provider.Client.prototype.redirectUriAllowed = (text) => {
  const url = URL.parse(text);
  return url !== null && url.hostname === '127.0.0.1' && url.pathname === settings.callback && url.search === '';
};

const pages = provider.callback();
createServer((request, response) => {
  const path = new URL(request.url, issuer).pathname;
  counts[path] = (counts[path] ?? 0) + 1;
  if (request.method === 'GET' && path === '/counts') {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(counts));
  } else if (request.method === 'PUT' && path.startsWith('/accounts/')) {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', () => {
      settings.accounts[decodeURIComponent(path.slice('/accounts/'.length))] = JSON.parse(body);
      response.writeHead(204).end();
    });
  } else {
    pages(request, response);
  }
}).listen(settings.port, '127.0.0.1', () => console.log(`ready at ${issuer}`));
