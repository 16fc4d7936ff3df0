/** What is wrong with the settings of the bridge to an external broker, in words. Pure. */
import type { Config } from './schema.ts';

/** MQTT 5, 4.8.2: a share's name has none of these. */
const NOT_IN_A_SHARE = /[/+#]|^$/;
/** MQTT 5, 4.7.1: + stands for a whole level, # for the rest. */
const FILTER = /^(?:[^+#]*|\+)(?:\/(?:[^+#/]*|\+))*(?:\/#)?$|^#$/;

export function bridgeProblems(settings: Config['connectors']['mqtt']): string[] {
  if (settings.url === '') return [];
  const problems: string[] = [];
  const wrong = (setting: string, sentence: string): void => {
    problems.push(`connectors.mqtt.${setting}: ${sentence}`);
  };
  const url = URL.parse(settings.url);
  if (url === null || !['mqtt:', 'mqtts:'].includes(url.protocol) || url.hostname === '') {
    wrong('url', `got "${settings.url}"; it takes mqtt://host:1883 or mqtts://host:8883`);
  } else if (url.username !== '' || url.password !== '') {
    wrong('url', 'names a user or a password; put them into userName and password, so that no log line shows them');
  } else if (url.pathname.length > 1 || url.search !== '') {
    wrong('url', `got "${settings.url}"; nothing stands behind the port`);
  }
  if ((settings.certFile === '') !== (settings.keyFile === '')) {
    wrong('certFile', 'goes together with keyFile; set both or neither');
  }
  if (NOT_IN_A_SHARE.test(settings.shareGroup)) wrong('shareGroup', 'is a name without /, + and #');
  for (const filter of settings.filters) {
    if (filter === '' || filter.startsWith('$share/') || !FILTER.test(filter)) {
      wrong('filters', `"${filter}" is no topic filter; e.g. v1/telemetry/# (the share is added by itself)`);
    }
  }
  return problems;
}
