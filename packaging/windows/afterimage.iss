; UNTESTED. Afterimage for Windows, as an installer for the person who runs it, without
; administrator rights. Made with Inno Setup 6, after `python packaging/make_package.py` has made
; the program folder on Windows (with `pip install .` in an environment of Python 3.11):
;
;   iscc /DVersion=0.1.0 packaging\windows\afterimage.iss
;
; No queue server for Windows comes in a wheel. Put one that speaks Redis's protocol and runs Lua
; scripts, with its licence, into build\package\queue as `server.exe` (Memurai, or Valkey built with
; MSYS2); it is started with the user's session and listens on the loopback only. Without that
; folder, the installer leaves it out, and AFTERIMAGE_REDIS_URL has to be set by hand, for example
; to a Valkey in WSL.

#define Queue FileExists("..\..\build\package\queue\server.exe")

[Setup]
AppId={{5B0F5D5E-7C56-4B43-9C0B-2C2C6B0E2A41}
AppName=Afterimage
AppVersion={#Version}
DefaultDirName={autopf}\Afterimage
PrivilegesRequired=lowest
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
Compression=lzma2/max
SolidCompression=yes
OutputDir=..\..\dist
OutputBaseFilename=afterimage-{#Version}-windows-x86_64
LicenseFile=..\..\LICENSE
ChangesEnvironment=yes
UninstallDisplayIcon={app}\afterimage.exe

[Files]
Source: "..\..\build\package\program\afterimage\*"; DestDir: "{app}"; Flags: recursesubdirs ignoreversion
#if Queue
Source: "..\..\build\package\queue\*"; DestDir: "{app}\queue"; Flags: recursesubdirs ignoreversion
#endif

[Icons]
Name: "{autoprograms}\Afterimage"; Filename: "{app}\afterimage.exe"
#if Queue
Name: "{userstartup}\Afterimage queue"; Filename: "{app}\queue\server.exe"; Parameters: "--bind 127.0.0.1 --port 6391 --maxmemory 256mb"; Flags: runminimized
#endif

[Registry]
#if Queue
Root: HKCU; Subkey: "Environment"; ValueType: string; ValueName: "AFTERIMAGE_REDIS_URL"; ValueData: "redis://127.0.0.1:6391/0"; Flags: uninsdeletevalue
#endif
Root: HKCU; Subkey: "Software\Classes\Directory\shell\Afterimage"; ValueType: string; ValueData: "Find pictures with Afterimage"; Flags: uninsdeletekey
Root: HKCU; Subkey: "Software\Classes\Directory\shell\Afterimage\command"; ValueType: string; ValueData: """{app}\afterimage.exe"" ""%1"""

[Run]
Filename: "{app}\afterimage.exe"; Description: "Open Afterimage"; Flags: nowait postinstall skipifsilent
