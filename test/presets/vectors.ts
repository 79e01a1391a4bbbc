/**
 * What the publishers behind the presets really send, quirks included, and what is to be read from it. Shapes are those of
 * the documentation named beside each preset in host/src/presets.ts.
 */
import sparkplugPayload from 'sparkplug-payload';

const sparkplug = sparkplugPayload.get('spBv1.0') as NonNullable<ReturnType<typeof sparkplugPayload.get>>;

/** A Sparkplug B payload, by the publishers' own library. */
export function encodeSparkplug(payload: Parameters<typeof sparkplug.encodePayload>[0]): Uint8Array {
  return sparkplug.encodePayload(payload);
}

/** What the publishers' own library reads in one. */
export function decodeSparkplug(payload: Uint8Array): ReturnType<typeof sparkplug.decodePayload> {
  return sparkplug.decodePayload(payload);
}

export interface Vector {
  preset: string;
  /** What is said beside the preset, as YAML flow. */
  options?: string;
  /** The quirk, or what it is. */
  about: string;
  topic: string;
  payload: string | Uint8Array;
  /** Per key the fields with their values; none: it is passed over. */
  gives: { key: string; at: number; fields: Record<string, number> } | null;
}

/** The second before arrival in which the devices measured. */
const BEFORE_MS = 4000;

/** `ms` in local time of a zone, as a device without one would say it. */
function local(ms: number, timeZone: string): string {
  return new Date(ms).toLocaleString('sv-SE', { timeZone }).replace(' ', 'T');
}

/** The vectors, for messages that arrive at `arrivalMs`, a whole second. */
export function vectors(arrivalMs: number): readonly Vector[] {
  const measured = arrivalMs - BEFORE_MS;
  const seconds = measured / 1000;
  const iso = new Date(measured).toISOString().slice(0, 19);
  const ttnUplink = (uplink: object): string =>
    JSON.stringify({
      end_device_ids: {
        device_id: 'dev1',
        application_ids: { application_id: 'app1' },
        dev_eui: '0004A30B001C0530',
        join_eui: '800000000000000C',
        dev_addr: '00BCB929',
      },
      correlation_ids: ['as:up:01E0WZGT6Y7657CPFPE5WEYDSQ'],
      received_at: `${iso}.787000123Z`,
      uplink_message: uplink,
    });

  const chirpstackUplink = (more: object): string =>
    JSON.stringify({
      deduplicationId: '96e4a065-ad5e-402d-a997-7b261072a33c',
      time: `${iso}.641008+00:00`,
      deviceInfo: {
        tenantId: '52f14cd4',
        applicationName: 'garden',
        deviceName: 'skimmer',
        devEui: 'a84041f621857cd2',
      },
      devAddr: '01fd9738',
      adr: true,
      dr: 5,
      fPort: 2,
      data: 'DPYBAAD//wAA',
      ...more,
    });

  return [
    {
      preset: 'zigbee2mqtt',
      about: 'a sensor with a friendly name',
      topic: 'zigbee2mqtt/office_climate',
      payload:
        '{"battery":97.5,"humidity":44.72,"linkquality":123,"pressure":1013.4,"temperature":27.34,"voltage":3005}',
      gives: {
        key: 'office_climate',
        at: arrivalMs,
        fields: {
          battery: 97.5,
          humidity: 44.72,
          linkquality: 123,
          pressure: 1013.4,
          temperature: 27.34,
          voltage: 3005,
        },
      },
    },
    {
      preset: 'zigbee2mqtt',
      about: 'a name with slashes, last_seen in ISO 8601, an object of an attribute',
      topic: 'zigbee2mqtt/kitchen/floor_light',
      payload: `{"brightness":215,"color":{"hue":25,"saturation":95,"x":0.477,"y":0.4},"color_mode":"color_temp","last_seen":"${iso}.296Z","state":"ON","update":{"installed_version":587814449,"latest_version":587814449,"state":"idle"}}`,
      gives: {
        key: 'kitchen/floor_light',
        at: measured,
        fields: { brightness: 215, color_hue: 25, color_saturation: 95, color_x: 0.477, color_y: 0.4, state: 1 },
      },
    },
    {
      preset: 'zigbee2mqtt',
      about: 'last_seen as epoch, a truth value',
      topic: 'zigbee2mqtt/0x00158d0001d82999',
      payload: `{"contact":false,"last_seen":${measured + 296},"device_temperature":24}`,
      gives: {
        key: '0x00158d0001d82999',
        at: measured,
        fields: { contact: 0, device_temperature: 24 },
      },
    },
    {
      preset: 'zigbee2mqtt',
      about: 'a button: nothing to measure',
      topic: 'zigbee2mqtt/button',
      payload: '{"action":"single"}',
      gives: null,
    },
    {
      preset: 'zigbee2mqtt',
      about: 'a command to a device with slashes in its name',
      topic: 'zigbee2mqtt/kitchen/floor_light/set',
      payload: '{"brightness":10}',
      gives: null,
    },
    {
      preset: 'zigbee2mqtt',
      about: 'the bridge itself',
      topic: 'zigbee2mqtt/bridge/logging',
      payload: '{"level":"info","message":"MQTT publish"}',
      gives: null,
    },
    {
      preset: 'zigbee2mqtt',
      about: 'another base topic',
      options: 'base: home/zigbee, name: upstairs',
      topic: 'home/zigbee/bath',
      payload: '{"humidity":61}',
      gives: { key: 'bath', at: arrivalMs, fields: { humidity: 61 } },
    },
    {
      preset: 'tasmota',
      about: 'a plug; without `zone` its local time is not used',
      topic: 'tele/lamp_plug/SENSOR',
      payload:
        '{"Time":"2022-01-11T21:57:38","ENERGY":{"TotalStartTime":"2020-10-21T22:15:00","Total":3.705,"Yesterday":0.028,"Today":0.026,"Period":1,"Power":5,"ApparentPower":5,"ReactivePower":0,"Factor":1.00,"Voltage":233,"Current":0.021}}',
      gives: {
        key: 'lamp_plug',
        at: arrivalMs,
        fields: {
          ENERGY_Total: 3.705,
          ENERGY_Yesterday: 0.028,
          ENERGY_Today: 0.026,
          ENERGY_Period: 1,
          ENERGY_Power: 5,
          ENERGY_ApparentPower: 5,
          ENERGY_ReactivePower: 0,
          ENERGY_Factor: 1,
          ENERGY_Voltage: 233,
          ENERGY_Current: 0.021,
        },
      },
    },
    {
      preset: 'tasmota',
      about: 'a time without a zone, two sensors of a kind, one with an id that looks like a number',
      options: 'zone: Europe/Berlin, name: berlin, base: berlin',
      topic: 'berlin/tele/cellar/SENSOR',
      payload: `{"Time":"${local(measured, 'Europe/Berlin')}","DS18B20-1":{"Id":"041702","Temperature":20.1},"DS18B20-2":{"Id":"3C01F0","Temperature":18.4},"TempUnit":"C"}`,
      gives: {
        key: 'cellar',
        at: measured,
        fields: { 'DS18B20-1_Temperature': 20.1, 'DS18B20-2_Temperature': 18.4 },
      },
    },
    {
      preset: 'tasmota',
      about: 'a clock that was not set yet, three phases',
      options: 'zone: Europe/Berlin, name: berlin, base: berlin',
      topic: 'berlin/tele/meter/SENSOR',
      payload: '{"Time":"1970-01-01T00:00:12","ENERGY":{"Total":12.5,"Power":[5,0,7],"Voltage":230}}',
      gives: {
        key: 'meter',
        at: arrivalMs,
        fields: { ENERGY_Total: 12.5, ENERGY_Power_0: 5, ENERGY_Power_1: 0, ENERGY_Power_2: 7, ENERGY_Voltage: 230 },
      },
    },
    {
      preset: 'tasmota',
      about: 'the state of the device',
      topic: 'tele/lamp_plug/STATE',
      payload:
        '{"Time":"2022-01-11T21:57:38","Uptime":"2T18:12:24","UptimeSec":238344,"Heap":27,"SleepMode":"Dynamic","Sleep":50,"LoadAvg":19,"MqttCount":1,"POWER":"ON","Wifi":{"AP":1,"SSId":"net","BSSId":"18:E8:29:CA:17:C1","Channel":6,"RSSI":100,"Signal":-40,"LinkCount":1,"Downtime":"0T00:00:07"}}',
      gives: {
        key: 'lamp_plug',
        at: arrivalMs,
        fields: {
          UptimeSec: 238_344,
          Heap: 27,
          Sleep: 50,
          LoadAvg: 19,
          MqttCount: 1,
          POWER: 1,
          Wifi_AP: 1,
          Wifi_Channel: 6,
          Wifi_RSSI: 100,
          Wifi_Signal: -40,
          Wifi_LinkCount: 1,
        },
      },
    },
    {
      preset: 'shelly',
      about: 'only the attributes that changed',
      topic: 'shellyplus1pm-a8032abe54dc/events/rpc',
      payload: `{"src":"shellyplus1pm-a8032abe54dc","dst":"shellyplus1pm-a8032abe54dc/events","method":"NotifyStatus","params":{"ts":${seconds}.44,"switch:0":{"id":0,"apower":8.9}}}`,
      gives: { key: 'shellyplus1pm-a8032abe54dc', at: measured, fields: { 'switch:0_apower': 8.9 } },
    },
    {
      preset: 'shelly',
      about: 'objects and lists of attributes, a switch turned off',
      topic: 'shellyplus1pm-a8032abe54dc/events/rpc',
      payload: `{"src":"shellyplus1pm-a8032abe54dc","dst":"shellyplus1pm-a8032abe54dc/events","method":"NotifyStatus","params":{"ts":${seconds}.02,"switch:0":{"id":0,"output":false,"source":"HTTP_in","aenergy":{"by_minute":[11.679,0.000,0.000],"minute_ts":${seconds},"total":51.2},"temperature":{"tC":37.67,"tF":99.81}}}}`,
      gives: {
        key: 'shellyplus1pm-a8032abe54dc',
        at: measured,
        fields: {
          'switch:0_output': 0,
          'switch:0_aenergy_total': 51.2,
          'switch:0_temperature_tC': 37.67,
          'switch:0_temperature_tF': 99.81,
        },
      },
    },
    {
      preset: 'shelly',
      about: 'a clock that was not set yet counts from the start of the device; a prefix with levels',
      options: 'base: shellies, name: shellies',
      topic: 'shellies/plus1pm/events/rpc',
      payload:
        '{"src":"shellyplus1pm-4417939341dc","dst":"shellies/plus1pm/events","method":"NotifyStatus","params":{"ts":1.61,"mqtt":{"connected":true}}}',
      gives: { key: 'plus1pm', at: arrivalMs, fields: { mqtt_connected: 1 } },
    },
    {
      preset: 'shelly',
      about: 'an event: nothing to measure',
      topic: 'shellyplus1pm-a8032abe54dc/events/rpc',
      payload: `{"src":"shellyplus1pm-a8032abe54dc","dst":"shellyplus1pm-a8032abe54dc/events","method":"NotifyEvent","params":{"ts":${seconds}.25,"events":[{"component":"sys","event":"config_changed","restart_required":false,"ts":${seconds}.25,"cfg_rev":20}]}}`,
      gives: null,
    },
    {
      preset: 'esphome',
      about: 'a sensor',
      topic: 'livingroom/sensor/bme280_temperature/state',
      payload: '21.4',
      gives: { key: 'livingroom', at: arrivalMs, fields: { bme280_temperature: 21.4 } },
    },
    {
      preset: 'esphome',
      about: 'a switch that says ON',
      topic: 'livingroom/binary_sensor/door/state',
      payload: 'ON',
      gives: { key: 'livingroom', at: arrivalMs, fields: { door: 1 } },
    },
    {
      preset: 'esphome',
      about: 'a sensor that has no value yet',
      topic: 'livingroom/sensor/bme280_humidity/state',
      payload: 'nan',
      gives: null,
    },
    {
      preset: 'the_things_network',
      about: 'an uplink; received_at has nanoseconds',
      topic: 'v3/app1@ttn/devices/dev1/up',
      payload: ttnUplink({
        session_key_id: 'AXA50tHUp9VNVQ==',
        f_port: 1,
        f_cnt: 5,
        frm_payload: 'gkHe',
        decoded_payload: { temperature: 1.5, luminosity: 0, gps_1: { latitude: 42.3519, altitude: 10 } },
        rx_metadata: [{ gateway_ids: { gateway_id: 'gtw1' }, rssi: -35, channel_rssi: -35, snr: 5 }],
        last_battery_percentage: { f_cnt: 3, value: 98.4 },
        settings: { data_rate: { lora: { bandwidth: 125_000, spreading_factor: 7 } } },
        consumed_airtime: '0.056576s',
      }),
      gives: {
        key: 'app1@ttn/dev1',
        at: measured,
        fields: {
          temperature: 1.5,
          luminosity: 0,
          gps_1_latitude: 42.3519,
          gps_1_altitude: 10,
          rssi: -35,
          snr: 5,
          battery_percentage: 98.4,
        },
      },
    },
    {
      preset: 'the_things_network',
      about: 'fields that mean 0 are absent: the counter of a first uplink, its snr',
      topic: 'v3/app1@ttn/devices/dev2/up',
      payload: ttnUplink({ frm_payload: 'AA==', decoded_payload: { temperature: 2 }, rx_metadata: [{ rssi: -120 }] }),
      gives: { key: 'app1@ttn/dev2', at: measured, fields: { temperature: 2, rssi: -120, snr: 0 } },
    },
    {
      preset: 'chirpstack',
      about: 'an uplink',
      topic: 'application/d63c10b6-9263-4ab3-9299-4308fa19a2ad/device/a84041f621857cd2/event/up',
      payload: chirpstackUplink({
        fCnt: 2,
        object: { soilconductivity: 0.0, soiltemperature: -0.1, volt: 3.318, state: 'FREE' },
        rxInfo: [{ gatewayId: '50303541b0344750', uplinkId: 39_169, rssi: -89, snr: 6.25 }],
      }),
      gives: {
        key: 'a84041f621857cd2',
        at: measured,
        fields: { soilconductivity: 0, soiltemperature: -0.1, volt: 3.318, rssi: -89, snr: 6.25 },
      },
    },
    {
      preset: 'chirpstack',
      about: 'fields that mean 0 are absent; no codec, so no object',
      topic: 'application/d63c10b6-9263-4ab3-9299-4308fa19a2ad/device/70b3d57ed005b1a1/event/up',
      payload: chirpstackUplink({ rxInfo: [{ gatewayId: '50303541b0344750', rssi: -101 }] }),
      gives: { key: '70b3d57ed005b1a1', at: measured, fields: { rssi: -101, snr: 0 } },
    },
    {
      preset: 'sparkplug_b',
      about: 'the birth of a node; what controls it is no reading',
      topic: 'spBv1.0/plant/NBIRTH/press-7',
      payload: encodeSparkplug({
        timestamp: measured,
        seq: 0,
        metrics: [
          { name: 'bdSeq', type: 'UInt64', value: 3 },
          { name: 'Node Control/Rebirth', type: 'Boolean', value: false },
          { name: 'Temperature', alias: 1, type: 'Float', value: 21.5, timestamp: measured },
          { name: 'Offset', alias: 2, type: 'Int16', value: -7, timestamp: measured },
          { name: 'Running', alias: 3, type: 'Boolean', value: true },
        ],
      }),
      gives: { key: 'plant/press-7', at: measured, fields: { Temperature: 21.5, Offset: -7, Running: 1 } },
    },
    {
      preset: 'sparkplug_b',
      about: 'the birth of a device',
      topic: 'spBv1.0/plant/DBIRTH/press-7/pump',
      payload: encodeSparkplug({
        timestamp: measured,
        seq: 1,
        metrics: [{ name: 'Inputs/Flow', alias: 9, type: 'Double', value: 1.25 }],
      }),
      gives: { key: 'plant/press-7/pump', at: measured, fields: { 'Inputs/Flow': 1.25 } },
    },
    {
      preset: 'telegraf',
      about: 'line protocol; each cpu is a key of its own',
      topic: 'telegraf/gateway-7/cpu',
      payload: `cpu,cpu=cpu0,host=gateway-7 usage_idle=98.5,usage_user=1i ${seconds}000000000\ncpu,cpu=cpu1,host=gateway-7 usage_idle=90 ${seconds}000000000\n`,
      gives: { key: 'cpu,cpu=cpu0,host=gateway-7', at: measured, fields: { usage_idle: 98.5, usage_user: 1 } },
    },
    {
      preset: 'telegraf_json',
      about: 'JSON',
      options: 'base: metrics',
      topic: 'metrics/raynor/docker',
      payload: `{"fields":{"n_containers":30,"n_images":660,"engine":"x"},"name":"docker","tags":{"host":"raynor"},"timestamp":${seconds}}`,
      gives: { key: 'raynor', at: measured, fields: { docker_n_containers: 30, docker_n_images: 660 } },
    },
    {
      preset: 'telegraf_json',
      about: 'a tag in the key',
      options: 'name: telegraf_by_cpu, base: by-cpu, tags: [cpu, device]',
      topic: 'by-cpu/raynor/cpu',
      payload: `{"fields":{"usage_idle":97.5},"name":"cpu","tags":{"host":"raynor","cpu":"cpu0"},"timestamp":${seconds}}`,
      gives: { key: 'raynor/cpu0/-', at: measured, fields: { cpu_usage_idle: 97.5 } },
    },
    {
      preset: 'senml',
      about: 'a pack with base fields',
      topic: 'senml/hall/7',
      payload: `[{"bn":"urn:dev:ow:10e2073a01080063:","bt":${seconds / 1e9}e9,"n":"voltage","u":"V","v":120.1},{"n":"current","t":0,"v":1.2}]`,
      gives: {
        key: 'hall/7',
        at: measured,
        fields: { 'urn:dev:ow:10e2073a01080063:voltage': 120.1, 'urn:dev:ow:10e2073a01080063:current': 1.2 },
      },
    },
    {
      preset: 'aws_shadow',
      about: 'a thing reports',
      topic: '$aws/things/thermostat-1/shadow/update/accepted',
      payload: `{"state":{"reported":{"temperature":21.5,"heating":true,"fan":{"rpm":900}}},"metadata":{"reported":{"temperature":{"timestamp":${seconds}}}},"version":10,"timestamp":${seconds},"clientToken":"token"}`,
      gives: { key: 'thermostat-1', at: measured, fields: { temperature: 21.5, heating: 1, fan_rpm: 900 } },
    },
    {
      preset: 'aws_shadow',
      about: 'what is only desired is no reading',
      topic: '$aws/things/thermostat-1/shadow/update/accepted',
      payload: `{"state":{"desired":{"temperature":23}},"version":11,"timestamp":${seconds}}`,
      gives: null,
    },
    {
      preset: 'aws_shadow',
      about: 'a named shadow',
      topic: '$aws/things/thermostat-1/shadow/name/meter/update/accepted',
      payload: `{"state":{"reported":{"kwh":4.25}},"version":3,"timestamp":${seconds}}`,
      gives: { key: 'thermostat-1/meter', at: measured, fields: { kwh: 4.25 } },
    },
    {
      preset: 'theengs',
      about: 'raw data that looks like a number',
      topic: 'home/OpenMQTTGateway/BTtoMQTT/A4C1386E4AE8',
      payload:
        '{"id":"A4:C1:38:6E:4A:E8","mac_type":0,"name":"ATC_6E4AE8","servicedata":"1234567890e400","rssi":-91,"brand":"Xiaomi","model":"LYWSD03MMC","model_id":"LYWSD03MMC_ATC","tempc":14.2,"tempf":57.56,"hum":56,"batt":75,"volt":2.887}',
      gives: {
        key: 'A4C1386E4AE8',
        at: arrivalMs,
        fields: { rssi: -91, tempc: 14.2, tempf: 57.56, hum: 56, batt: 75, volt: 2.887 },
      },
    },
    {
      preset: 'homie',
      about: 'a property of convention 4',
      topic: 'homie/super-car/engine/temperature',
      payload: '21.5',
      gives: { key: 'super-car', at: arrivalMs, fields: { engine_temperature: 21.5 } },
    },
    {
      preset: 'homie',
      about: 'an attribute, which is no property',
      topic: 'homie/super-car/$stats/uptime',
      payload: '3600',
      gives: null,
    },
    {
      preset: 'homie',
      about: 'a property of convention 5, true',
      topic: 'homie/5/super-car/lights/power',
      payload: 'true',
      gives: { key: 'super-car', at: arrivalMs, fields: { lights_power: 1 } },
    },
    {
      preset: 'per_field',
      about: 'a topic per field',
      topic: 'sensors/greenhouse/soil',
      payload: '33.25',
      gives: { key: 'greenhouse', at: arrivalMs, fields: { soil: 33.25 } },
    },
  ];
}
