export { type Credentials, type DeviceCredential, parseCredentials } from './credentials.ts';
export { DEMO_FILES, type DemoDevice, type DemoPlant, demoPlant, demoScenario } from './demo-plant.ts';
export { type RunOptions, runScenario } from './run-scenario.ts';
export { parseScenario, type Scenario, type ScenarioDevice } from './scenario.ts';
export { type StatisticsSnapshot, statisticsLine } from './statistics.ts';
