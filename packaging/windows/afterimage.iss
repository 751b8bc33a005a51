; UNTESTED. Afterimage for Windows, as an installer for the person who runs it, without
; administrator rights. Made with Inno Setup 6, after `python packaging/make_package.py` has made
; the program folder on Windows (with `pip install .` in an environment of Python 3.11):
;
;   iscc /DVersion=0.1.0 packaging\windows\afterimage.iss

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
UninstallDisplayIcon={app}\afterimage.exe

[Files]
Source: "..\..\build\package\program\afterimage\*"; DestDir: "{app}"; Flags: recursesubdirs ignoreversion

[Icons]
Name: "{autoprograms}\Afterimage"; Filename: "{app}\afterimage.exe"

[Registry]
Root: HKCU; Subkey: "Software\Classes\Directory\shell\Afterimage"; ValueType: string; ValueData: "Find pictures with Afterimage"; Flags: uninsdeletekey
Root: HKCU; Subkey: "Software\Classes\Directory\shell\Afterimage\command"; ValueType: string; ValueData: """{app}\afterimage.exe"" ""%1"""

[Run]
Filename: "{app}\afterimage.exe"; Description: "Open Afterimage"; Flags: nowait postinstall skipifsilent
