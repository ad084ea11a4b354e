// An OpenID provider, panva's certified oidc-provider, and an API that takes its tokens: `node provider.mjs CONFIG.json`.
//
// CONFIG: {port, api_port, issuer?, tls?: {key, cert, ca?}, token_seconds, clients: [...]}. Where tls.ca is there, the
// provider wants certificates of its clients. POST /clients to the API's port replaces a client; GET /events gives
// what was taken, GET /seen how often each token was used. Who asks for a `resource` gets a signed token (JWT) for it.
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';

const config = JSON.parse(fs.readFileSync(process.argv[2]));
const kept = new Map();
const clients = new Map(config.clients.map((client) => [client.client_id, client]));

class Store {
  constructor(name) { this.name = name; }
  key(id) { return `${this.name}:${id}`; }
  async upsert(id, payload) { kept.set(this.key(id), payload); }
  async find(id) { return this.name === 'Client' ? clients.get(id) : kept.get(this.key(id)); }
  async findByUid() { return undefined; }
  async findByUserCode() { return undefined; }
  async consume(id) { kept.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { kept.delete(this.key(id)); }
  async revokeByGrantId() {}
}

const tls = config.tls && Object.fromEntries(
  Object.entries(config.tls).map(([name, path]) => [name, fs.readFileSync(path)]));
const issuer = config.issuer ?? `${tls ? 'https' : 'http'}://127.0.0.1:${config.port}`;
const provider = new Provider(issuer, {
  adapter: Store,
  clients: [],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: 'events:write', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: config.token_seconds,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  scopes: ['events:write', 'other'],
  ttl: { ClientCredentials: () => config.token_seconds },
  clientAuthMethods: config.methods ?? ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
});

const events = [];
const seen = new Map();
let revoked = 0;

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function api(request, response) {
  const body = await read(request);
  const answer = (status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value ?? null));
  };
  if (request.url === '/events' && request.method === 'GET') return answer(200, events);
  if (request.url === '/seen') return answer(200, Object.fromEntries(seen));
  if (request.url === '/clients') {
    const client = JSON.parse(body);
    clients.set(client.client_id, client);
    return answer(200);
  }
  if (request.url === '/revoke') {
    for (const key of [...kept.keys()]) if (key.startsWith('ClientCredentials:')) kept.delete(key);
    revoked += 1;
    return answer(200);
  }
  const word = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '');
  const token = word && await provider.ClientCredentials.find(word[1]);
  if (!token || token.isExpired || !token.scope?.split(' ').includes('events:write')) return answer(401);
  seen.set(word[1], (seen.get(word[1]) ?? 0) + 1);
  events.push({ body, client: token.clientId });
  return answer(200);
}

const handler = provider.callback();
const server = tls
  ? https.createServer({ ...tls, requestCert: 'ca' in tls, rejectUnauthorized: 'ca' in tls }, handler)
  : http.createServer(handler);
server.listen(config.port, '127.0.0.1');
http.createServer((request, response) => {
  api(request, response).catch((error) => { console.error(error); response.writeHead(500).end(); });
}).listen(config.api_port, '127.0.0.1', () => console.log('listening'));
