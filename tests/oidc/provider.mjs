// A provider with its own pages to sign in and consent. It accepts any login with any password. The login is the mail
// address, which is verified unless it begins with "unverified".
import { Provider } from 'oidc-provider';

const [port, client_id, client_secret, redirect_uri] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id, client_secret, redirect_uris: [redirect_uri] }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  pkce: { required: () => true },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, email: sub, email_verified: !sub.startsWith('unverified') }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
